# Two images: `server` (the default) is for production; `dev` also holds the simulators and the demo shop.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# The tag, and the commit with its date: `make docker` gives them.
ARG VERSION=dev
ARG COMMIT=unknown
ARG DATE=unknown
ARG TARGETOS
ARG TARGETARCH
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH
ENV LDFLAGS="-s -w -X payrelay/internal/app.version=$VERSION -X payrelay/internal/app.commit=$COMMIT -X payrelay/internal/app.date=$DATE"

FROM source AS build-dev
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -buildvcs=false -ldflags="$LDFLAGS" -o /out/server ./cmd/server

FROM source AS build-server
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -tags production -trimpath -buildvcs=false -ldflags="$LDFLAGS" -o /out/server ./cmd/server

# No shell, no package manager, no root: certificates, time zones and the one binary.
FROM gcr.io/distroless/static:nonroot AS base
ARG VERSION=dev
ARG COMMIT=unknown
ARG DATE=unknown
LABEL org.opencontainers.image.title="payrelay" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$COMMIT \
      org.opencontainers.image.created=$DATE
COPY LICENSE /LICENSE
USER nonroot:nonroot
# A crash prints its cause and no stack, whose arguments may be parts of what was being worked on.
ENV GOTRACEBACK=none
# 8080: the shops' API, provider callbacks and the documentation. 9090: health, readiness and metrics, never to be published.
EXPOSE 8080 9090
# Asks the admin port inside the container; an orchestrator that probes for itself ignores it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/usr/local/bin/server", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/server"]

FROM base AS dev
COPY --from=build-dev /out/server /usr/local/bin/server
CMD ["dev"]

FROM base AS server
COPY --from=build-server /out/server /usr/local/bin/server
CMD ["run"]
