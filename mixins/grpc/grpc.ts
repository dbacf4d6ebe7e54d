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
import {
	logVerbosity,
	Server,
	type ServerCredentials,
	type ServerUnaryCall,
	type ServiceDefinition,
	type sendUnaryData,
	setLogVerbosity,
	status
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { HealthImplementation, protoPath as healthProtoFile } from "grpc-health-check";
import type { CallingOptions, Service, ServiceSchema } from "moleculer";
import type { Caller } from "../../define.ts";
import { bearer, credentialsOf, type TlsFiles } from "./credentials.ts";
import { addReflection } from "./reflection.ts";
import { statusOf } from "./status.ts";

/** Answers one unary method. Calls made with `ctx` carry the client's request id and deadline on. */
// biome-ignore lint/suspicious/noExplicitAny: a request's shape is the proto file's business
export type GrpcHandler = (request: any, ctx: Caller) => Promise<object>;

export interface GrpcOptions {
	host: string;
	port: number;
	protoFile: string;
	/** Full name of the service → method → handler. */
	services: Record<string, Record<string, GrpcHandler>>;
	/** Without it everybody may call. Health checking is open to all either way: those who probe cannot send it. */
	token?: string;
	tls?: TlsFiles;
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

const REQUEST_ID = /^[\x21-\x7e]{1,64}$/;

/** Calls by the client's request id, where it has sent one, and with what is left of its deadline. */
function callerOf({ broker }: Service, call: ServerUnaryCall<object, object>): Caller {
	const [given] = call.metadata.get("x-request-id");
	const requestID = typeof given === "string" && REQUEST_ID.test(given) ? given : undefined;
	const deadline = Number(call.getDeadline());
	const invoke = (action: string, params: object, options?: CallingOptions) => {
		// Past its deadline the client has its answer already; what is still under way for it should end too.
		const timeout = Number.isFinite(deadline) ? { timeout: Math.max(1, deadline - Date.now()) } : undefined;
		return broker.call(action, params, { requestID, ...timeout, ...options });
	};
	return { call: invoke as Caller["call"] };
}

const answering =
	(service: Service, handler: GrpcHandler) => async (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => {
		try {
			done(null, await handler(call.request, callerOf(service, call)));
		} catch (error) {
			const refusal = statusOf(error);
			if (refusal.code === status.INTERNAL) service.logger.error(error);
			done(refusal);
		}
	};

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
			addReflection(server, { ...packages, ...loadSync(healthProtoFile, PROTO) });
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
