// Server reflection (grpc.reflection.v1 and v1alpha), so that grpcurl and its like need no proto file.
import type { Server } from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import descriptor, { type IDescriptorProto, type IFileDescriptorProto } from "protobufjs/ext/descriptor/index.js";

const { FileDescriptorProto } = descriptor;

/** protobufjs calls a map's entry type like its field, with a capital. */
const givenName = (field: string) => field.charAt(0).toUpperCase() + field.slice(1);
/** What it has to be called: protoc's MapEntryName, the field's name in upper camel case and `Entry`. */
const entryName = (field: string) => `${field.replace(/(?:^|_)([a-z]?)/g, (_, letter: string) => letter.toUpperCase())}Entry`;

function nameMapEntries({ name, field: fields = [], nestedType: types = [] }: IDescriptorProto, scope: string) {
	const path = `${scope}.${name}`;
	for (const type of types) {
		// A field of another name may have a type that is called like the entry.
		const field =
			type.options?.mapEntry && fields.find(one => one.typeName === type.name && givenName(one.name ?? "") === type.name);
		if (!field) nameMapEntries(type, path);
		else {
			type.name = entryName(field.name ?? "");
			field.typeName = `${path}.${type.name}`;
		}
	}
}

/** A file's descriptor with the names that map entries must have; without them clients that check descriptors refuse the whole file. */
export function withMapEntryNames(file: Buffer): Buffer {
	const proto = FileDescriptorProto.decode(file) as IFileDescriptorProto;
	for (const message of proto.messageType ?? []) nameMapEntries(message, proto.package ? `.${proto.package}` : "");
	return Buffer.from(FileDescriptorProto.encode(proto).finish());
}

/** Describes these packages to whoever asks. */
export function addReflection(server: Server, packages: PackageDefinition) {
	const described = Object.entries(packages).map(([name, definition]) => {
		const { fileDescriptorProtos: files } = definition as { fileDescriptorProtos?: Buffer[] };
		return [name, files ? { ...definition, fileDescriptorProtos: files.map(withMapEntryNames) } : definition];
	});
	new ReflectionService(Object.fromEntries(described)).addToServer(server);
}
