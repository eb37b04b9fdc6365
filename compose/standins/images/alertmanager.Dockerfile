# stands for prom/alertmanager with alertmanager amtool
FROM @DEBIAN@
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget \
    && install -d -o 65534 -g 65534 /alertmanager
COPY alertmanager amtool /bin/
USER 65534
EXPOSE 9093
ENTRYPOINT ["/bin/alertmanager"]
