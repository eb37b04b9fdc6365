# stands for prom/prometheus with prometheus promtool
FROM @DEBIAN@
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget \
    && install -d -o 65534 -g 65534 /prometheus
COPY prometheus promtool /bin/
USER 65534
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
