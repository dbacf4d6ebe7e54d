import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors } from "moleculer";
import { conflict, invalid, unavailable } from "../../../mixins/errors.ts";
import { errorFrame, frameParser } from "./frames.ts";

const read = frameParser(["selections"]);
const parse = (frame: unknown) => read(typeof frame === "string" ? frame : JSON.stringify(frame));
const fieldOf = (frame: unknown) => {
	try {
		parse(frame);
	} catch (error) {
		return (errorFrame(error).data as { field?: string }).field;
	}
	return "accepted";
};

describe("frames from clients", () => {
	it("reads connect, watch, and calls without a code", () => {
		assert.deepEqual(parse({ code: "connect", data: { ip: "127.0.0.1", user: "u" } }), {
			code: "connect",
			data: { ip: "127.0.0.1", user: "u" }
		});
		assert.deepEqual(parse({ code: "watch", data: { selections: true } }), { code: "watch", data: { selections: true } });
		assert.deepEqual(parse({ user_id: "u", amount: 1 }), { code: undefined, data: { user_id: "u", amount: 1 } });
	});

	for (const [frame, field] of [
		["{", ""],
		["[]", ""],
		["null", ""],
		['"connect"', ""],
		[{ code: "drop" }, "code"],
		[{ code: 1 }, "code"],
		[{ code: "connect" }, "data"],
		[{ code: "connect", data: {} }, "user"],
		[{ code: "connect", data: { user: "" } }, "user"],
		[{ code: "connect", data: { user: "u".repeat(65) } }, "user"],
		[{ code: "connect", data: { user: "a\u0000" } }, "user"],
		[{ code: "connect", data: { user: "\ud800" } }, "user"],
		[{ code: "connect", data: { user: "u", ip: ["\udfff"] } }, "ip.0"],
		['{"code":"connect","data":{"user":"u","ip":{"__proto__":1}}}', "ip.__proto__"],
		['{"code":"connect","data":{"user":"u","__proto__":1}}', "__proto__"],
		[{ user_id: "u", amount: 1, "\ud800": 1 }, "\ud800"],
		['\ufeff{"code":"watch","data":{}}', ""],
		[{ user_id: "u", amount: 1, list: new Array(2_000).fill(0) }, ""],
		[{ code: "connect", data: { user: "u", admin: true } }, "admin"],
		[{ code: "watch", data: { everything: true } }, "everything"]
	] as const)
		it(`rejects ${JSON.stringify(frame)} and names ${field || "the frame"}`, () => assert.equal(fieldOf(frame), field));
});

describe("error frames", () => {
	it("name the first wrong field", () => {
		const { data } = errorFrame(invalid([{ field: "amount", message: "must be greater than 0" }]), "p1");
		assert.deepEqual(data, { type: "VALIDATION_ERROR", message: "amount: must be greater than 0", field: "amount", id: "p1" });
	});

	it("have different types for a conflict and for an outage", () => {
		assert.equal(errorFrame(conflict("other amount", {})).data.type, "CONFLICT");
		assert.equal(errorFrame(unavailable("Postgres")).data.type, "UNAVAILABLE");
		assert.equal(
			errorFrame(new Errors.ServiceNotFoundError({ action: "purchase.create", nodeID: "inner-1" } as never)).data.type,
			"UNAVAILABLE"
		);
	});

	it("name the first few of ten thousand field errors", () => {
		const fieldErrors = Array.from({ length: 10_000 }, (_, n) => ({ field: `f${n}`, message: "is not known here" }));
		const { message, field } = errorFrame(invalid(fieldErrors)).data as { message: string; field: string };
		assert.equal(field, "f0");
		assert.ok(message.startsWith("f0: is not known here; f1: ") && message.length < 1_100);
		assert.match(message, /f9: is not known here; and more$/);
	});

	it("contain no internal details", () => {
		const { data } = errorFrame(new Error("relation purchases does not exist at db-7.internal"));
		assert.deepEqual(data, { type: "INTERNAL_ERROR", message: "Something went wrong here" });
	});
});
