# syntax=docker/dockerfile:1

FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY plano_filters plano_filters
COPY filters filters
COPY pytest_plano_filters pytest_plano_filters
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir --disable-pip-version-check ".[jwt,redis,fast,cpu]"

FROM python:3.12-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /etc/plano-filters
EXPOSE 12000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["plano-filters", "health"]
# Exec form: SIGTERM reaches the gateway itself, which then drains.
ENTRYPOINT ["plano-filters"]
# The folder to mount the configuration at, as config.yaml.
CMD ["run", "/etc/plano-filters"]
