// Only what differs from Moleculer's defaults, each line with its reason.
import type { BrokerOptions } from "moleculer";
import { ContractValidator } from "./contract/validator.ts";
import { KafkaTransporter } from "./mixins/transporter.ts";
import { adminSocket } from "./runtime/admin-socket.ts";
import { config } from "./runtime/config.ts";
import { embedded, kafka, limits } from "./runtime/drivers.ts";
import { httpListener } from "./runtime/http/http-listener.ts";
import { RedactingConsole } from "./runtime/redacting-console.ts";
import { actions } from "./services/contract.ts";
import { clusterHealth } from "./services/health/health.checks.ts";
import { MetricsText, metricsServer } from "./services/health/metrics-server.ts";

export default {
	// Nodes of other systems on the same Kafka are not ours. No dot: the transporter's topics use it.
	namespace: "plaza",
	// Fixed: the transporter has topics of its own for each node, and nothing removes those of nodes that never come back.
	nodeID: config.nodeID,
	// What this node works at, beyond the answers it carries: health adds them up over all nodes.
	metadata: { works: config.services },
	// One process needs none. Ours reconnects after a restart of Kafka.
	transporter: embedded ? null : new KafkaTransporter(kafka),
	// Without tokens, passwords and e-mail addresses. Moleculer's own start and registry lines are for those who look for them.
	logger: new RedactingConsole({
		level: {
			BROKER: "warn",
			REGISTRY: "warn",
			TRANSIT: "warn",
			TRANSPORTER: "warn",
			DISCOVERY: "warn",
			METRICS: "warn",
			"**": config.logLevel
			// By module, which the type does not know.
		} as never
	}),
	// Without one, a call to a node that has just been killed hangs for as long as its heartbeats are awaited.
	requestTimeout: 5_000,
	// What was accepted is finished before a service stops.
	tracking: { enabled: true, shutdownTimeout: 3_000 },
	// By action name, from the contracts.
	validator: new ContractValidator(actions),
	// Read at METRICS_PORT. An instance is welcome too, which the type does not know. Quantiles are made of every single time that is kept, sorted
	// while all else waits: of a minute (the default) under load that would take half a second.
	metrics: { enabled: true, reporter: [new MetricsText({}) as never], defaultMaxAgeSeconds: 10 },
	// The first two listen before the transporter is connected, so that health can say what is missing.
	middlewares: [
		httpListener({ ...config, limits }, clusterHealth),
		metricsServer(config),
		...(embedded ? [adminSocket(config.dataDir)] : [])
	]
} satisfies BrokerOptions;
