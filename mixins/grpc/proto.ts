// Reads a proto file and binds handlers to its services. What does not fit is refused before anything listens.
import { dirname, resolve } from "node:path";
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { loadSync, type Options, type PackageDefinition } from "@grpc/proto-loader";
import type { Service } from "moleculer";
import { type GrpcHandler, type Method, serve } from "./method.ts";
import { readStrictly } from "./read-strictly.ts";

/** How values look in JavaScript: names as in the proto file, enums as text, absent fields with their default. */
export interface ProtoOptions {
	protoFile: string;
	/** Where to look for imported proto files, beside the proto file's own folder. */
	includeDirs?: string[];
	/**
	 * How 64-bit integers arrive: `String` (default) is exact; `Number` loses digits beyond 2^53. Answers may hold text, numbers or bigints
	 * either way.
	 */
	longs?: StringConstructor | NumberConstructor;
}

/** Full name of the service → method → handler. */
export type Handlers = Record<string, Record<string, GrpcHandler>>;

const COMMON: Options = { keepCase: true, enums: String, defaults: true, oneofs: true };

/** Throws with one line when the file cannot be read. */
export function loadProto({ protoFile, includeDirs = [], longs = String }: ProtoOptions): PackageDefinition {
	// Absolute, because the loader would look for a relative path in the folders of the imports too, and warn.
	const path = resolve(protoFile);
	try {
		return loadSync(path, { ...COMMON, longs, includeDirs: [dirname(path), ...includeDirs] });
	} catch (error) {
		throw new Error(`gRPC cannot load the proto file ${protoFile} (${(error as Error).message})`);
	}
}

const isService = (definition: unknown): definition is Record<string, Method> =>
	typeof definition === "object" && definition !== null && typeof (definition as { format?: unknown }).format !== "string";

const isAsyncGenerator = (handler: GrpcHandler) => Object.prototype.toString.call(handler) === "[object AsyncGeneratorFunction]";

function checkMethods(name: string, methods: Record<string, Method>, handlers: Record<string, GrpcHandler>) {
	const known = Object.keys(methods);
	for (const method of Object.keys(handlers))
		if (!known.includes(method))
			throw new Error(`gRPC service ${name} has no method ${method}; its methods: ${known.join(", ")}`);
	for (const method of known) {
		const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
		if (typeof handler !== "function") throw new Error(`gRPC method ${name}/${method} has no handler`);
		if (isAsyncGenerator(handler) && !methods[method]!.responseStream)
			throw new Error(`gRPC method ${name}/${method} has one answer: its handler cannot be an async generator`);
	}
}

/** Throws with one line that names service and method unless every handler has its method, and every method of these services its handler. */
export function checkHandlers(packages: PackageDefinition, services: Handlers, protoFile: string) {
	const known = Object.keys(packages).filter(name => isService(packages[name]));
	for (const [name, handlers] of Object.entries(services)) {
		if (!known.includes(name)) throw new Error(`gRPC service ${name} is not in ${protoFile}; its services: ${known.join(", ")}`);
		checkMethods(name, packages[name] as unknown as Record<string, Method>, handlers);
	}
}

/** grpc-js reports an answer that does not fit only to the client. */
const logged = (service: Service, method: Method): Method => ({
	...method,
	responseSerialize(answer) {
		try {
			return method.responseSerialize(answer);
		} catch (error) {
			service.logger.error(`gRPC ${method.path}: the answer does not fit its message type (${(error as Error).message})`);
			throw error;
		}
	}
});

/** The paths of these services' methods with a stream of requests. */
export const requestStreamsOf = (packages: PackageDefinition, services: string[]): Set<string> =>
	new Set(
		services
			.flatMap(name => Object.values(packages[name] as unknown as Record<string, Method>))
			.filter(({ requestStream }) => requestStream)
			.map(({ path }) => path)
	);

/** The arguments of `server.addService` for each service that has handlers. */
export function bindHandlers(
	service: Service,
	packages: PackageDefinition,
	services: Handlers
): [ServiceDefinition, UntypedServiceImplementation][] {
	return Object.entries(services).map(([name, handlers]) => {
		const methods = Object.entries(packages[name] as unknown as Record<string, Method>);
		return [
			Object.fromEntries(methods.map(([method, definition]) => [method, logged(service, readStrictly(definition))])),
			Object.fromEntries(methods.map(([method, definition]) => [method, serve(service, definition, handlers[method]!)]))
		];
	});
}
