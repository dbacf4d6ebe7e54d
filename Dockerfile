# One image for all services: SERVICES says which of them a container runs.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY mixins/package.json mixins/
# The optional dependencies are Node binaries for machines with an older Node; the image has the right one.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
# The loopback address of a container cannot be reached from outside.
ENV HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
# The embedded profile keeps all data here: mount a volume.
RUN install --directory --owner=node --group=node --mode=0700 data
USER node
EXPOSE 8080 50051 3030
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
	CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.METRICS_PORT || 3030) + '/health/live').then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node, not npm, so that SIGTERM reaches the process.
CMD ["node", "runtime/start.mjs"]
