// Server reflection (grpc.reflection.v1 and v1alpha): with it, clients such as grpcurl need no proto file.
import { EventEmitter } from "node:events";
import type { Server } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import type { Service } from "moleculer";
import descriptor, { type IDescriptorProto, type IFileDescriptorProto } from "protobufjs/ext/descriptor/index.js";
import { type GrpcHandler, type Method, serve } from "./method.ts";
import { readStrictly } from "./read-strictly.ts";

const { FileDescriptorProto } = descriptor;

/** The name that protobufjs gives to a map's entry type: the field's, capitalised. */
const givenName = (field: string) => field.charAt(0).toUpperCase() + field.slice(1);
/** The name that it must have (protoc's MapEntryName): the field's in upper camel case, and `Entry`. */
const entryName = (field: string) => `${field.replace(/(?:^|_)([a-z]?)/g, (_, letter: string) => letter.toUpperCase())}Entry`;

function nameMapEntries({ name, field: fields = [], nestedType: types = [] }: IDescriptorProto, scope: string) {
	const path = `${scope}.${name}`;
	for (const type of types) {
		// Another field may have a type of the same name as the entry.
		const field =
			type.options?.mapEntry && fields.find(one => one.typeName === type.name && givenName(one.name ?? "") === type.name);
		if (!field) nameMapEntries(type, path);
		else {
			type.name = entryName(field.name ?? "");
			field.typeName = `${path}.${type.name}`;
		}
	}
}

/**
 * A file's descriptor with the names that map entries must have (clients that check descriptors refuse the whole file otherwise), and without
 * the services that are not served.
 */
export function describedFile(file: Buffer, isServed: (service: string) => boolean): Buffer {
	const proto = FileDescriptorProto.decode(file) as IFileDescriptorProto;
	const scope = proto.package ? `.${proto.package}` : "";
	for (const message of proto.messageType ?? []) nameMapEntries(message, scope);
	proto.service = proto.service?.filter(({ name }) => isServed(`${scope}.${name}`.slice(1)));
	return Buffer.from(FileDescriptorProto.encode(proto).finish());
}

/** The library would store all answers for a client that does not read. This handler answers each request only when the client can receive the answer. */
const answerInTurn = (implementation: (stream: unknown) => void): GrpcHandler =>
	async function* (requests: AsyncIterable<object>) {
		let answer: unknown;
		const write = (message: unknown) => {
			answer = message;
		};
		const stream = Object.assign(new EventEmitter(), { write, end() {} });
		implementation(stream);
		for await (const request of requests) {
			stream.emit("data", request);
			yield answer;
		}
	};

/** Describes the services named, and the message types of these packages. */
export function addReflection(service: Service, server: Server, packages: PackageDefinition, services: string[]) {
	const described = Object.entries(packages).map(([name, definition]) => {
		const { fileDescriptorProtos: files } = definition as { fileDescriptorProtos?: Buffer[] };
		if (!files) return [name, definition];
		return [name, { ...definition, fileDescriptorProtos: files.map(file => describedFile(file, one => services.includes(one))) }];
	});
	new ReflectionService(Object.fromEntries(described)).addToServer({
		addService(definition, implementation) {
			const methods = Object.entries(definition as Record<string, Method>);
			const handlerOf = (name: string) => answerInTurn(implementation[name] as (stream: unknown) => void);
			server.addService(
				Object.fromEntries(methods.map(([name, method]) => [name, readStrictly(method)])),
				Object.fromEntries(methods.map(([name, method]) => [name, serve(service, method, handlerOf(name))]))
			);
		}
	});
}
