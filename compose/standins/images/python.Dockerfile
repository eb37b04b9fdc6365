# stands for python
FROM @DEBIAN@
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s python3 /usr/bin/python
CMD ["python3"]
