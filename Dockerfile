# The image of every service: SERVICES says which of them a container runs.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
COPY mixins/package.json mixins/
# The optional dependencies are runtimes for machines with an older Node; the image has its own.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
# A container's own loopback cannot be reached from outside.
ENV HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY . .
# Where the embedded profile keeps everything: mount a volume here.
RUN install --directory --owner=node --group=node data
USER node
EXPOSE 8080 50051 3030
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s \
	CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.METRICS_PORT || 3030) + '/health/live').then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself, not npm: SIGTERM must arrive.
CMD ["node", "runtime/start.ts"]
