# stands for prom/node-exporter
FROM @DEBIAN@
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static prometheus-node-exporter && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget && ln -s /usr/bin/prometheus-node-exporter /bin/node_exporter
USER 65534
EXPOSE 9100
ENTRYPOINT ["/bin/node_exporter"]
