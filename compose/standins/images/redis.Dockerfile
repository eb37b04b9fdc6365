# stands for redis
FROM @DEBIAN@
RUN groupadd -r -g 999 redis && useradd -r -u 999 -g redis redis \
    && apt-get update && apt-get install -y --no-install-recommends redis-server redis-tools && rm -rf /var/lib/apt/lists/* \
    && install -d -o redis -g redis /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server"]
