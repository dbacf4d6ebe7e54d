/**
 * A gRPC door to a Moleculer service: its methods call actions. With standard health checking, reflection, deadlines and limits.
 *
 *     export default {
 *       name: "greeter",
 *       mixins: [grpc({
 *         host: "127.0.0.1", port: 50051, protoFile: "greeter.proto",
 *         services: { "greeter.Greeter": { Hello: (request, ctx) => ctx.call("greeter.hello", request) } }
 *       })],
 *       actions: { hello: ctx => ({ text: `Hello ${ctx.params.name}` }) }
 *     };
 *     // grpcurl -plaintext -d '{"name":"Ann"}' localhost:50051 greeter.Greeter/Hello
 *
 * Errors by their `type` and `code`: 422 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 404 NOT_FOUND, 409 FAILED_PRECONDITION, what is away UNAVAILABLE,
 * anything else INTERNAL, without a word of what it was. A client's `x-request-id` becomes the call's request id.
 */
import { setTimeout as delay } from "node:timers/promises";
import { logVerbosity, Server, type ServerCredentials, type ServiceDefinition, setLogVerbosity } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { HealthImplementation, protoPath as healthProtoFile } from "grpc-health-check";
import type { Service, ServiceSchema } from "moleculer";
import { answering, type GrpcHandler } from "./answer.ts";
import { bearer, credentialsOf, type TlsFiles } from "./credentials.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcOptions {
	host: string;
	port: number;
	protoFile: string;
	/** Full name of the service → method → handler. */
	services: Record<string, Record<string, GrpcHandler>>;
	/** Without it everybody may call. Health checking is open to all either way: those who probe cannot send it. */
	token?: string;
	tls?: TlsFiles;
	/** Whether it describes itself to whoever asks (and shows the token, where there is one). Default: yes. */
	reflection?: boolean;
	/** What to do when its port or its certificate cannot be had, with a line that says so. Default: the service does not start. */
	onRefused?: (line: string) => never;
	/** Whether this node listens at all. Default: yes. */
	listens?: boolean;
}

const PROTO = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true } as const;
const HEALTH = "grpc.health.v1.Health";
const STOP_TIMEOUT_MS = 3_000;
const LIMITS = {
	"grpc.max_receive_message_length": 64 * 1024,
	"grpc.max_send_message_length": 1024 * 1024,
	"grpc.max_concurrent_streams": 1_000,
	// A peer that went without a word is found out within half a minute.
	"grpc.keepalive_time_ms": 20_000,
	"grpc.keepalive_timeout_ms": 10_000,
	// Bookkeeping for a debugger that nobody attaches.
	"grpc.enable_channelz": 0
};

interface GrpcService extends Service {
	grpc?: { server: Server; health: HealthImplementation; port: number };
}

const addressOf = (host: string, port: number) => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Answers the port, which may have been given as 0. */
const listen = (server: Server, host: string, port: number, credentials: ServerCredentials) =>
	new Promise<number>((resolve, reject) => {
		const address = addressOf(host, port);
		const refused = ({ message }: Error) => {
			const reason = /\bE[A-Z]{3,}/.exec(message)?.[0] ?? message;
			reject(new Error(`gRPC cannot listen on ${address} (${reason}): stop what listens there, or set GRPC_PORT`));
		};
		// It would print its own account of a port that is taken.
		setLogVerbosity(logVerbosity.NONE);
		server.bindAsync(address, credentials, (error, bound) => (error ? refused(error) : resolve(bound)));
	});

/** Mixin; see the top of this file. */
export function grpc({
	host,
	port,
	protoFile,
	services,
	token,
	tls = {},
	reflection = true,
	onRefused,
	listens = true
}: GrpcOptions): Partial<ServiceSchema> {
	if (!listens) return {};
	const names = ["", ...Object.keys(services)];
	const say = ({ grpc }: GrpcService, state: "SERVING" | "NOT_SERVING") => {
		for (const name of names) grpc?.health.setStatus(name, state);
	};

	return {
		async started(this: GrpcService) {
			const packages = loadSync(protoFile, PROTO);
			const server = new Server({ ...LIMITS, interceptors: token ? [bearer(token, [HEALTH])] : [] });
			for (const [name, methods] of Object.entries(services)) {
				const handlers = Object.entries(methods).map(([method, handler]) => [method, answering(this, handler)]);
				server.addService(packages[name] as ServiceDefinition, Object.fromEntries(handlers));
			}
			const health = new HealthImplementation(Object.fromEntries(names.map(name => [name, "NOT_SERVING"])));
			health.addToServer(server);
			if (reflection) addReflection(server, { ...packages, ...loadSync(healthProtoFile, PROTO) });
			const bind = async () => listen(server, host, port, credentialsOf(tls));
			this.grpc = {
				server,
				health,
				port: await bind().catch((error: Error) => (onRefused ? onRefused(error.message) : Promise.reject(error)))
			};
			this.logger.info(`gRPC listens on ${host}:${this.grpc.port}`);
		},

		events: {
			// A service hears events from the moment on that its actions can be called.
			"$services.changed"(this: GrpcService) {
				if (!this.broker.stopping) say(this, "SERVING");
			}
		},

		async stopped(this: GrpcService) {
			say(this, "NOT_SERVING");
			if (!this.grpc) return;
			const { server, port } = this.grpc;
			// Sessions that are still there by then are destroyed; `forceShutdown` would leave them be, as it knows them by way of channelz alone.
			server.drain(addressOf(host, port), STOP_TIMEOUT_MS);
			const closed = new Promise<void>(resolve => server.tryShutdown(() => resolve()));
			await Promise.race([closed, delay(STOP_TIMEOUT_MS + 500, undefined, { ref: false })]);
		}
	};
}
