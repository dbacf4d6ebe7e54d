import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadSync } from "@grpc/proto-loader";
import descriptor, { type IDescriptorProto, type IFileDescriptorProto } from "protobufjs/ext/descriptor/index.js";
import { file } from "./grpc.fixture.ts";
import { describedFile } from "./reflection.ts";

const { FileDescriptorProto } = descriptor;

/** Every field of a message type in a file, with the type that it names, as reflection would describe it. */
function described(proto: string) {
	const loaded = Object.values(loadSync(file(proto, "proto"), { keepCase: true }))[0] as { fileDescriptorProtos: Buffer[] };
	const files = loaded.fileDescriptorProtos.map(
		file => FileDescriptorProto.decode(describedFile(file, () => true)) as IFileDescriptorProto
	);
	const fields: Record<string, string | undefined> = {};
	const types: string[] = [];
	const visit = (message: IDescriptorProto, scope: string) => {
		const path = scope ? `${scope}.${message.name}` : `${message.name}`;
		types.push(path);
		for (const field of message.field ?? []) fields[`${path}.${field.name}`] = field.typeName || undefined;
		for (const nested of message.nestedType ?? []) visit(nested, path);
	};
	for (const file of files) for (const message of file.messageType ?? []) visit(message, file.package ?? "");
	return { fields, types };
}

describe("the described name of a map's entry type", () => {
	it("is the field's name in upper camel case and Entry, as protoc makes it", () => {
		const { types } = described(`syntax = "proto3"; package shop;
			message Cart { map<string, int32> items = 1; map<string, double> price_by_sku = 2; map<string, string> a_1b__c = 3; map<int32, bool> camelCase = 4; }`);
		assert.deepEqual(types.sort(), [
			"shop.Cart",
			"shop.Cart.A1bCEntry",
			"shop.Cart.CamelCaseEntry",
			"shop.Cart.ItemsEntry",
			"shop.Cart.PriceBySkuEntry"
		]);
	});

	it("is the type of the field, also in nested messages and without a package", () => {
		const { fields } = described(
			`syntax = "proto3"; message Outer { message Inner { map<string, Outer> parts = 1; } Inner inner = 1; }`
		);
		assert.equal(fields["Outer.Inner.parts"], ".Outer.Inner.PartsEntry");
		assert.match(fields["Outer.inner"] ?? "", /Inner$/);
	});

	it("does not change another field whose type has the map's name", () => {
		const { fields } = described(`syntax = "proto3"; package shop;
			message Parts { int32 n = 1; } message Box { Parts one = 1; repeated Parts many = 2; map<string, string> parts = 3; }`);
		assert.match(fields["shop.Box.one"] ?? "", /Parts$/);
		assert.match(fields["shop.Box.many"] ?? "", /Parts$/);
		assert.equal(fields["shop.Box.parts"], ".shop.Box.PartsEntry");
	});
});
