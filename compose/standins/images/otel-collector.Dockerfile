# stands for otel/opentelemetry-collector-contrib with otelcol
FROM @DEBIAN@
COPY otelcol /otelcol-contrib
USER 10001
EXPOSE 4317 4318
ENTRYPOINT ["/otelcol-contrib"]
CMD ["--config", "/etc/otelcol-contrib/config.yaml"]
