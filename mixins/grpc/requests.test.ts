import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { ServiceBroker } from "moleculer";
import { ECHO, echo, REFLECTION, REQUEST_TIMEOUT_MS, startDesk, WATCH } from "./desk.fixture.ts";
import { file } from "./grpc.fixture.ts";
import { grpc } from "./grpc.ts";
import { answerTo, framed, type RawAnswer, rawCall, textField, within } from "./raw-call.fixture.ts";

/** The answered note's field with this number, if it is a double. */
function doubleOf({ body }: RawAnswer, number: number): number | undefined {
	const at = body.indexOf((number << 3) | 1, 5);
	return at < 0 ? undefined : body.readDoubleLE(at + 1);
}

describe("a gRPC request", () => {
	const text = (bytes: Uint8Array, length?: number) => textField(1, bytes, length);
	const unreadable: [string, Uint8Array][] = [
		["with a byte that is never UTF-8", text(Buffer.from([0x61, 0xff]))],
		["with a lone surrogate", text(Buffer.from([0xed, 0xa0, 0x80]))],
		["with an overlong encoding", text(Buffer.from([0xc0, 0x80]))],
		["with a character that is cut", text(Buffer.from([0xe2, 0x82]))],
		["whose text is cut", text(Buffer.from("abc"), 5)],
		["whose 64-bit number is cut", Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80])],
		["whose 64-bit number ends before its fourth byte", Buffer.from([0x10, 0x80, 0x80, 0x80])],
		["whose inner message is cut", Buffer.from([0x1a, 0x05, 0x10, 0x01])],
		["with a text that is not UTF-8 inside", textField(3, text(Buffer.from([0xff])))],
		["with a cut number in a list", textField(4, Buffer.from([0x80, 0x80, 0x80, 0x80]))],
		["that is no message", Buffer.from([0xff])]
	];
	for (const [name, bytes] of unreadable)
		it(`${name} is refused as INVALID_ARGUMENT, alone and in a stream`, async t => {
			const { open } = await startDesk(t);
			const session = await open();
			for (const method of [ECHO, "desk.Desk/Collect"]) {
				const { code, details } = await answerTo(session, method, { body: framed(bytes) });
				assert.equal(code, status.INVALID_ARGUMENT, method);
				assert.match(details, /^The request cannot be read as its message type/);
			}
			assert.equal((await echo(session)).code, status.OK);
		});

	const whole = framed(text(Buffer.from("abc")));
	for (const [name, cut] of [
		["inside the head of a message", whole.subarray(0, 3)],
		["after the head of a message", whole.subarray(0, 5)],
		["inside a message", whole.subarray(0, 8)]
	] as const)
		it(`that ends ${name} is refused, in a stream as INVALID_ARGUMENT although others came before`, async t => {
			const { open } = await startDesk(t);
			const session = await open();
			for (const method of [ECHO, "grpc.health.v1.Health/Check"])
				assert.equal((await answerTo(session, method, { body: cut })).code, status.UNIMPLEMENTED, method);
			for (const body of [cut, Buffer.concat([whole, whole, cut])]) {
				const { code, details } = await answerTo(session, "desk.Desk/Collect", { body });
				assert.deepEqual([code, details], [status.INVALID_ARGUMENT, "The requests end inside a message"]);
			}
			const { code, body } = await answerTo(session, "desk.Desk/Collect", { body: Buffer.concat([whole, whole]) });
			assert.equal(code, status.OK);
			assert.ok(body.includes(text(Buffer.from("abcabc"))));
		});

	it("that arrives byte by byte is answered", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		const { stream, answer } = rawCall(session, "desk.Desk/Collect", { body: whole.subarray(0, 1), end: false });
		for (const byte of [...whole.subarray(1), ...whole]) {
			stream.write(Buffer.from([byte]));
			await new Promise(setImmediate);
		}
		stream.end();
		assert.ok((await within(answer, "the answer")).body.includes(text(Buffer.from("abcabc"))));
	});

	it("that ends inside a message after an answer is reset", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		const { stream, answer } = rawCall(session, "desk.Desk/Converse", { body: whole, end: false });
		await within(once(stream, "data"), "an answer");
		stream.end(whole.subarray(0, 6));
		assert.equal((await within(answer, "the end of the call")).code, undefined);
		assert.equal((await echo(session)).code, status.OK);
	});

	it("arrives as it was sent", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		for (const sent of ["\ufffd", "\ufeffa", "😀", "a\u0000b", "e\u0301"]) {
			const { code, body } = await echo(session, {}, text(Buffer.from(sent)));
			assert.equal(code, status.OK);
			assert.ok(body.includes(text(Buffer.from(sent))), JSON.stringify(sent));
		}
	});

	it("for health or reflection is refused as INVALID_ARGUMENT, too, when it is not UTF-8", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		const symbol = textField(4, Buffer.from([0xff]));
		for (const [method, bytes] of [
			["grpc.health.v1.Health/Check", text(Buffer.from([0xff]))],
			[WATCH, text(Buffer.from([0xff]))],
			[REFLECTION, symbol],
			[REFLECTION.replace("v1", "v1alpha"), symbol]
		] as const)
			assert.equal((await answerTo(session, method, { body: framed(bytes) })).code, status.INVALID_ARGUMENT, method);
	});

	it("gets its status also when the refused text is long", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		const long = framed(textField(1, Buffer.from("é".repeat(30_000))));
		assert.equal((await answerTo(session, "grpc.health.v1.Health/Check", { body: long })).code, status.NOT_FOUND);
		const { code, details } = await answerTo(session, "desk.Desk/Collect", { body: long });
		assert.equal(code, status.FAILED_PRECONDITION);
		assert.match(details, /^Too long: é{500,}$/);
	});

	it("with more than 16 KiB of metadata is refused as RESOURCE_EXHAUSTED", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		assert.equal((await echo(session, { "x-long": "x".repeat(20_000) })).code, status.RESOURCE_EXHAUSTED);
		const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, "x".repeat(200)]));
		assert.equal((await echo(session, many)).code, status.RESOURCE_EXHAUSTED);
		assert.equal((await echo(session, { "x-long": "x".repeat(10_000) })).code, status.OK);
	});

	it("that is compressed is refused as UNIMPLEMENTED before anything is decompressed", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		for (const encoding of ["gzip", "deflate", "br", "identity, gzip"]) {
			const { code, headers } = await echo(session, { "grpc-encoding": encoding });
			assert.deepEqual([code, headers["grpc-accept-encoding"]], [status.UNIMPLEMENTED, "identity"], encoding);
		}
		assert.equal((await echo(session, { "grpc-encoding": "identity" })).code, status.OK);
	});
});

describe("the deadline of a gRPC call", () => {
	it("may be longer than any timer, and is bounded without a warning", async t => {
		const warnings: Error[] = [];
		const onWarning = (warning: Error) => warnings.push(warning);
		process.on("warning", onWarning);
		t.after(() => process.off("warning", onWarning));
		const { open } = await startDesk(t);
		const session = await open();
		for (const timeout of ["99999999H", "99999999M", "99999999S", "597H", "35792M", "2147484S", "99999999m"]) {
			const answer = await echo(session, { "grpc-timeout": timeout });
			assert.equal(answer.code, status.OK, timeout);
			// It does not lengthen what the broker allows.
			assert.equal(doubleOf(answer, 5), REQUEST_TIMEOUT_MS, timeout);
		}
		// Warnings are emitted in a later turn.
		await new Promise(setImmediate);
		assert.deepEqual(warnings, []);
	});

	it("is passed on when it is shorter than what the broker allows", async t => {
		const { open } = await startDesk(t);
		const leftMs = doubleOf(await echo(await open(), { "grpc-timeout": "4S" }), 5) ?? 0;
		assert.ok(leftMs > 0 && leftMs <= 4_000, `${leftMs}`);
	});

	it("is refused as INVALID_ARGUMENT when it is malformed, and as DEADLINE_EXCEEDED when it is over", async t => {
		const { open } = await startDesk(t);
		const session = await open();
		for (const timeout of ["", "1", "S", "1.5S", "-1S", "123456789S", "1h", "1S2", ["1S", "2S"]])
			assert.equal((await echo(session, { "grpc-timeout": timeout })).code, status.INVALID_ARGUMENT, `${timeout}`);
		assert.equal((await echo(session, { "grpc-timeout": "0n" })).code, status.DEADLINE_EXCEEDED);
	});
});

describe("creating a gRPC service with a map that has 64-bit keys", () => {
	const create = (messages: string) =>
		new ServiceBroker({ logger: false }).createService({
			name: "maps",
			mixins: [
				grpc({
					host: "127.0.0.1",
					port: 0,
					protoFile: file(
						`syntax = "proto3"; package maps; service Maps { rpc Put (Request) returns (Answer); } ${messages}`,
						"proto"
					),
					services: { "maps.Maps": { Put: async () => ({}) } }
				})
			]
		});

	for (const type of ["int64", "uint64", "sint64", "fixed64", "sfixed64"])
		it(`fails with one line when a request has a map<${type}, …>`, () => {
			assert.throws(
				() => create(`message Request { map<${type}, string> names = 1; } message Answer {}`),
				/^Error: gRPC method maps\.Maps\/Put: a map in Request has 64-bit keys, which cannot be read; use map<string, …> or a repeated message$/
			);
		});

	it("fails also when the map is in a message inside the request", () => {
		assert.throws(
			() =>
				create(
					"message Request { map<string, Part> parts = 1; } message Part { repeated Inner inner = 1; message Inner { map<int64, bool> set = 1; } } message Answer {}"
				),
			/a map in Inner has 64-bit keys/
		);
	});

	it("is possible when only the answer has the map", () => {
		assert.ok(create("message Request { map<int32, string> names = 1; } message Answer { map<int64, string> names = 1; }"));
	});
});
