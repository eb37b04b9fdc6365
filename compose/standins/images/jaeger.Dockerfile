# stands for jaegertracing/jaeger with jaeger
FROM @DEBIAN@
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget
COPY jaeger /cmd/jaeger/jaeger-linux
USER 10001
EXPOSE 16686 4317
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
