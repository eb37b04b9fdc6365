FROM @ROOTFS@
# how this machine's package registries are reached (../make.sh)
COPY pip.conf /etc/pip.conf
COPY uv.toml /etc/uv/uv.toml
COPY npmrc /etc/npmrc
COPY certificates.crt /etc/ssl/machine.crt
ENV SSL_CERT_FILE=/etc/ssl/machine.crt PIP_CERT=/etc/ssl/machine.crt REQUESTS_CA_BUNDLE=/etc/ssl/machine.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/machine.crt NPM_CONFIG_CAFILE=/etc/ssl/machine.crt NPM_CONFIG_GLOBALCONFIG=/etc/npmrc
CMD ["bash"]
