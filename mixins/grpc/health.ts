// Standard health checking (grpc.health.v1). The library never forgets a name that a client watches, and repeats it in error texts, however long it is.
import type { MethodDefinition, Server, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type { HealthImplementation } from "grpc-health-check";
import { readStrictly, UnreadableRequest } from "./read-strictly.ts";
import { statusOf } from "./status.ts";

/** A method as the library implements it; without `done` it has a stream of answers. */
type Handle = (call: ServerUnaryCall<{ service?: string }, object>, done?: sendUnaryData<object>) => void;

const NOT_SERVED = "that is not served here";

const mapValues = <From, To>(values: Record<string, From>, change: (value: From) => To): Record<string, To> =>
	Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));

/** Adds health checking of the services with these names. The library gets all other names as one and the same unknown name. */
export function addHealth(server: Server, health: HealthImplementation, names: readonly string[]) {
	const known = new Set(names);
	const guard =
		(handle: Handle): Handle =>
		(call, done) => {
			const { request } = call;
			if (request instanceof UnreadableRequest) {
				const refusal = statusOf(request.error);
				if (done) done(refusal);
				else call.emit("error", refusal);
				return;
			}
			if (request.service !== undefined && !known.has(request.service)) request.service = NOT_SERVED;
			handle(call, done);
		};
	health.addToServer({
		addService: (definition, implementation) =>
			server.addService(
				mapValues(definition as unknown as Record<string, MethodDefinition<object, object>>, readStrictly),
				mapValues(implementation as Record<string, Handle>, guard) as never
			)
	});
}
