// Server reflection (grpc.reflection.v1 and v1alpha): with it, clients such as grpcurl need no proto file.
import type { Server } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import descriptor, { type IDescriptorProto, type IFileDescriptorProto } from "protobufjs/ext/descriptor/index.js";

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

/** Describes the services named, and the message types of these packages. */
export function addReflection(server: Server, packages: PackageDefinition, services: string[]) {
	const described = Object.entries(packages).map(([name, definition]) => {
		const { fileDescriptorProtos: files } = definition as { fileDescriptorProtos?: Buffer[] };
		if (!files) return [name, definition];
		return [name, { ...definition, fileDescriptorProtos: files.map(file => describedFile(file, one => services.includes(one))) }];
	});
	new ReflectionService(Object.fromEntries(described)).addToServer(server);
}
