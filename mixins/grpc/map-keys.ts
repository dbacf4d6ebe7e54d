// protobufjs garbles the 64-bit keys of a map that it reads: a request type with such a map is refused before anything listens.
import type { PackageDefinition } from "@grpc/proto-loader";
import type { Method } from "./method.ts";

/** What proto-loader says of a message type. */
interface Descriptor {
	name: string;
	field: { name: string; type: string; typeName: string }[];
	nestedType: (Descriptor & { options?: { mapEntry?: boolean } | null })[];
}

const IS_64_BIT = /^TYPE_.*64$/;

const nameOf = (typeName: string) => typeName.split(".").at(-1) ?? "";

/** Message types by their last name: fields name the same type by paths of different lengths. */
function messagesByName(packages: PackageDefinition) {
	const found = new Map<string, Descriptor[]>();
	const add = (message: Descriptor) => {
		found.set(message.name, [...(found.get(message.name) ?? []), message]);
		message.nestedType.forEach(add);
	};
	for (const { format, type } of Object.values(packages) as { format?: unknown; type?: Descriptor }[])
		if (format === "Protocol Buffer 3 DescriptorProto" && type) add(type);
	return found;
}

/** The first message type with such a map among those that a request consists of. */
function messageWithLongKeys(request: Descriptor, byName: Map<string, Descriptor[]>): Descriptor | undefined {
	const reached = new Set([request]);
	for (const message of reached) {
		const maps = message.nestedType.filter(({ options }) => options?.mapEntry);
		if (maps.some(({ field: [key] }) => key && IS_64_BIT.test(key.type))) return message;
		for (const { typeName } of message.field) for (const next of byName.get(nameOf(typeName ?? "")) ?? []) reached.add(next);
	}
	return undefined;
}

/** Throws with one line that names method and message type if requests to these services may hold a map with 64-bit keys. */
export function checkMapKeys(packages: PackageDefinition, services: string[]) {
	const byName = messagesByName(packages);
	for (const service of services)
		for (const [name, method] of Object.entries(packages[service] as unknown as Record<string, Method>)) {
			const { type } = (method as unknown as { requestType: { type: Descriptor } }).requestType;
			const message = messageWithLongKeys(type, byName);
			if (message)
				throw new Error(
					`gRPC method ${service}/${name}: a map in ${message.name} has 64-bit keys, which cannot be read; use map<string, …> or a repeated message`
				);
		}
}
