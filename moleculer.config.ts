// Only options that differ from Moleculer's defaults, each with its reason.
import type { BrokerOptions } from "moleculer";
import { ContractValidator } from "./contract/validator.ts";
import { KafkaTransporter } from "./mixins/transporter.ts";
import { adminSocket } from "./runtime/admin-socket.ts";
import { config } from "./runtime/config.ts";
import { connections, embedded, kafka, onlyGateway, requestLimits } from "./runtime/drivers.ts";
import { httpListener } from "./runtime/http/http-listener.ts";
import { nodeMetadata } from "./runtime/node-metadata.ts";
import { RedactingConsole } from "./runtime/redacting-console.ts";
import { replSecrets } from "./runtime/repl-secrets.ts";
import { actions } from "./services/contract.ts";
import { clusterHealth } from "./services/health/health.checks.ts";
import { MetricsText, metricsServer } from "./services/health/metrics-server.ts";

export default {
	// Separates Plaza from other Moleculer systems on the same Kafka. No dot: the transporter separates the parts of its topic names by dots.
	namespace: "plaza",
	// Fixed: the transporter creates topics for each node id, and nothing deletes the topics of old ids.
	nodeID: config.nodeID,
	// Health checks that each service runs on some node; sockets find each other's nodes by it.
	metadata: nodeMetadata(config.services),
	// The embedded profile is one process and needs no transporter. Unlike Moleculer's own, this transporter reconnects after a restart of Kafka.
	transporter: embedded ? null : new KafkaTransporter(kafka),
	// Redacts tokens, passwords and e-mail addresses. Moleculer's own information about starts and the registry is omitted.
	logger: new RedactingConsole({
		level: {
			BROKER: "warn",
			REGISTRY: "warn",
			TRANSIT: "warn",
			TRANSPORTER: "warn",
			DISCOVERY: "warn",
			METRICS: "warn",
			"**": config.logLevel
			// Moleculer's type does not know levels by module.
		} as never
	}),
	// Without a timeout, a call to a killed node hangs until its heartbeat expires.
	requestTimeout: 5_000,
	// runtime/stop.ts handles the signals. Moleculer's own handlers would not end a process that is still starting.
	skipProcessEventRegistration: true,
	// Accepted calls finish before a service stops.
	tracking: { enabled: true, shutdownTimeout: 3_000 },
	// Validates by action name, with the contracts.
	validator: new ContractValidator(actions),
	// Served at METRICS_PORT. Moleculer's type does not allow an instance, but its code does. To compute quantiles, Moleculer sorts every kept sample
	// synchronously: with the default age of a minute, this blocked the event loop for half a second under load. An error of Moleculer's timer for
	// process metrics would end the process: `metricsServer` has its own.
	metrics: { enabled: true, reporter: [new MetricsText() as never], defaultMaxAgeSeconds: 10, collectProcessMetrics: false },
	// `httpListener` and `metricsServer` listen before the transporter connects, so that /health can report what is missing.
	middlewares: [
		httpListener({ ...config, limits: requestLimits, connections }, clusterHealth),
		onlyGateway.middleware,
		metricsServer({ ...config, connections }),
		replSecrets,
		...(embedded ? [adminSocket(config.dataDir)] : [])
	]
} satisfies BrokerOptions;
