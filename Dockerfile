# syntax=docker/dockerfile:1
#
#   docker build -t entrepot .
#   docker run -p 127.0.0.1:5000:5000 -v entrepot:/var/lib/entrepot entrepot
#
# Who can connect is decided by what is published: 127.0.0.1:5000:5000 is this machine, 5000:5000 is everybody on the network.
# Inside a container loopback reaches nobody, so the image listens on all addresses and says so (ENTREPOT_ALLOW_ANONYMOUS_LAN).
# The consequence is deliberate: credentials are used only for upstreams that the configuration marks `shared: true`.
# A configuration of your own: -v ./config.yaml:/etc/entrepot/config.yaml:ro; it must be readable by user 65532.

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:26-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
RUN install -d -m 0700 -o 65532 -g 65532 /var/lib/entrepot
ENV NODE_ENV=production \
    HOME=/ \
    XDG_CONFIG_HOME=/etc \
    ENTREPOT_DATA=/var/lib/entrepot \
    ENTREPOT_LISTEN=0.0.0.0:5000 \
    ENTREPOT_ALLOW_ANONYMOUS_LAN=true
USER 65532:65532
VOLUME /var/lib/entrepot
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5000/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--disable-proto=throw", "--disallow-code-generation-from-strings", "--max-old-space-size=256", "/app/src/main.ts"]
