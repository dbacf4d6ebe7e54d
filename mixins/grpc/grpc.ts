/**
 * A gRPC server for a Moleculer service: its methods call actions. With standard health checking, reflection, deadlines and limits.
 *
 *     export default {
 *       name: "greeter",
 *       mixins: [grpc({
 *         host: "127.0.0.1", port: 50051, protoFile: "greeter.proto",
 *         services: { "greeter.Greeter": {
 *           Hello: (request, ctx) => ctx.call("greeter.hello", request),                        // rpc Hello (Name) returns (Text)
 *           async *Count(request, ctx) { for (let n = 1; n <= 3; n++) yield { text: `${n}` }; }   // rpc Count (Name) returns (stream Text)
 *         } }
 *       })],
 *       actions: { hello: ctx => ({ text: `Hello ${ctx.params.name}` }) }
 *     };
 *     // grpcurl -plaintext -d '{"name":"Ann"}' localhost:50051 greeter.Greeter/Hello
 *
 * Errors by their `type` and `code`: 422 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 404 NOT_FOUND, 409 FAILED_PRECONDITION, an unavailable dependency
 * UNAVAILABLE, anything else INTERNAL without its text. A client's `x-request-id` becomes the call's request id.
 */
import { Server } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { HealthImplementation, protoPath as healthProtoFile } from "grpc-health-check";
import type { Service, ServiceSchema } from "moleculer";
import { bearer, credentialsOf, type OptionNames, type TlsFiles } from "./credentials.ts";
import { addHealth } from "./health.ts";
import { type ConnectionLimits, type Listener, listen } from "./listener.ts";
import { checkMapKeys } from "./map-keys.ts";
import { bindHandlers, checkHandlers, type Handlers, loadProto, type ProtoOptions, requestStreamsOf } from "./proto.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcOptions extends ProtoOptions, Partial<ConnectionLimits> {
	host: string;
	port: number;
	/** Every method of each service named here needs a handler. Services of the proto file that are not named are not served. */
	services: Handlers;
	/** Without it any client may call. Health checking needs no token either way: probes cannot send one. */
	token?: string;
	tls?: TlsFiles;
	/** Longer requests are refused as RESOURCE_EXHAUSTED. A client may make the server hold this much for each open call. Default: 64 KiB. */
	maxRequestBytes?: number;
	/** Whether clients can ask which services and messages there are (with the token, if there is one). Default: yes. */
	reflection?: boolean;
	/** Called with one line when the port or the certificate cannot be used. Default: the service does not start. */
	onFatal?: (line: string) => never;
	/** Whether this node listens at all. Default: yes. */
	listens?: boolean;
	/** What error messages call the options, e.g. an environment variable for each. Default: their names here. */
	optionNames?: Partial<OptionNames>;
}

const HEALTH = "grpc.health.v1.Health";
const STOP_TIMEOUT_MS = 3_000;
const LIMITS = {
	"grpc.max_send_message_length": 1024 * 1024,
	"grpc.max_concurrent_streams": 1_000,
	// Finds a peer that vanished without closing its connection within half a minute.
	"grpc.keepalive_time_ms": 20_000,
	"grpc.keepalive_timeout_ms": 10_000,
	// Bookkeeping for a debugger that is never attached.
	"grpc.enable_channelz": 0
};

interface GrpcService extends Service {
	grpc?: { health: HealthImplementation; listener: Listener; port: number };
}

/** Mixin; see the top of this file. Creating the service fails when handlers and proto file do not fit. */
export function grpc({
	host,
	port,
	services,
	token,
	tls = {},
	maxRequestBytes = 64 * 1024,
	reflection = true,
	onFatal,
	listens = true,
	optionNames,
	maxConnectionsPerAddress,
	maxCallsPerAddress,
	acceptConnection,
	addressOf = ({ remoteAddress }) => remoteAddress,
	...proto
}: GrpcOptions): Partial<ServiceSchema> {
	if (!listens) return {};
	const names = { host: "host", port: "port", cert: "tls.cert", key: "tls.key", ...optionNames };
	const served = [...Object.keys(services), HEALTH];
	// Health answers for the server as a whole under the empty name.
	const states = ["", ...Object.keys(services)];
	let packages: PackageDefinition;
	const setHealth = ({ grpc }: GrpcService, state: "SERVING" | "NOT_SERVING") => {
		for (const name of states) grpc?.health.setStatus(name, state);
	};

	return {
		created() {
			packages = loadProto(proto);
			checkHandlers(packages, services, proto.protoFile);
			checkMapKeys(packages, Object.keys(services));
		},

		async started(this: GrpcService) {
			const limits = { ...LIMITS, "grpc.max_receive_message_length": maxRequestBytes };
			const server = new Server({ ...limits, interceptors: token ? [bearer(token, [HEALTH])] : [] });
			for (const bound of bindHandlers(this, packages, services)) server.addService(...bound);
			const health = new HealthImplementation(Object.fromEntries(states.map(name => [name, "NOT_SERVING"])));
			addHealth(server, health, states);
			if (reflection) addReflection(this, server, { ...packages, ...loadProto({ protoFile: healthProtoFile }) }, served);
			const requestStreams = requestStreamsOf(packages, Object.keys(services));
			const bind = async () =>
				listen(
					server,
					{ host, port, credentials: credentialsOf(tls, names), names, requestStreams },
					{ maxConnectionsPerAddress, maxCallsPerAddress, acceptConnection, addressOf },
					this
				);
			const listener = await bind().catch((error: Error) => (onFatal ? onFatal(error.message) : Promise.reject(error)));
			this.grpc = { health, listener, port: listener.port };
			this.logger.info(`gRPC listens on ${host}:${listener.port}`);
		},

		events: {
			// A service gets events from the moment on that its actions can be called.
			"$services.changed"(this: GrpcService) {
				if (!this.broker.stopping) setHealth(this, "SERVING");
			}
		},

		async stopped(this: GrpcService) {
			setHealth(this, "NOT_SERVING");
			await this.grpc?.listener.close(STOP_TIMEOUT_MS);
		}
	};
}
