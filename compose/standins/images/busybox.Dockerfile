# stands for busybox
FROM @DEBIAN@
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/*
CMD ["sh"]
