# stands for grafana/grafana
FROM @DEBIAN@
# a listener that says it is well, and nothing of Grafana
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/* \
    && ln -s busybox /usr/bin/wget \
    && install -d /srv/api && echo '{"database": "ok"}' >/srv/api/health && echo 'not Grafana' >/srv/index.html \
    && install -d -o 472 -g 0 /var/lib/grafana
USER 472
EXPOSE 3000
CMD ["busybox", "httpd", "-f", "-p", "3000", "-h", "/srv"]
