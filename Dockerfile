# Gatehouse's container: docker build -t gatehouse:0.1.0 .
# All that is done is done by scripts/package, which also runs without Docker.
FROM debian:12 AS build
WORKDIR /src
COPY . .
RUN scripts/package /image

# No shell, no package manager: two programs, their libraries, certificates and licences.
FROM scratch
COPY --from=build /image/ /
# A number, by which Kubernetes sees that it is not root.
USER 65532:65532
EXPOSE 7070 7071 7072
ENTRYPOINT ["/usr/bin/gatehouse-server"]
CMD ["--config", "/etc/gatehouse/config/gatehouse.yaml"]
