// Invalid frames on /ws: each gets an error frame, and the socket stays open.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocket, openSocketAs } from "./client.socket.ts";
import { eventually, fresh } from "./client.ts";
import { BAD_ID_TYPES, BAD_IDS } from "./ids.ts";
import type { System } from "./system.ts";

const MAX_BYTES = 64 * 1024;

/** Invalid frames, and the field that the error must name, if there is one. */
const BAD_FRAMES: [frame: string, field?: string][] = [
	[""],
	["{"],
	["not json"],
	["null"],
	["1"],
	['"connect"'],
	["[]"],
	['[{"code":"connect","data":{"user":"u"}}]'],
	["{}"],
	['{"code":"nothing"}'],
	['{"code":"constructor","data":{}}'],
	['{"code":"__proto__","data":{}}'],
	['{"__proto__":{"code":"watch","data":{"selections":true}}}'],
	['{"code":1,"data":{}}'],
	['{"code":null,"data":{"user":"u"}}'],
	['{"code":"socket.deliver","data":{"deliveries":[]}}'],
	['{"code":"purchase.create","data":{"user_id":"u","amount":1}}'],
	['{"code":"connect"}'],
	['{"code":"connect","data":null}'],
	['{"code":"connect","data":"u"}'],
	['{"code":"connect","data":{}}', "user"],
	['{"code":"watch"}'],
	['{"code":"watch","data":{"selections":"yes"}}', "selections"],
	['{"user_id":"u"}', "amount"],
	['{"amount":1}', "user_id"],
	['{"user_id":"u","amount":1,"id":7}', "id"],
	[`{"code":"connect","data":{"user":"u","ip":${"[".repeat(31)}${"]".repeat(31)}}}`],
	["[".repeat(30_000)],
	['\ufeff{"code":"watch","data":{}}'],
	['{"code":"connect","data":{"user":"u","ip":"\\ud800"}}', "ip"],
	['{"code":"connect","data":{"user":"u","ip":{"__proto__":"x"}}}', "ip.__proto__"],
	[`{"user_id":"u","amount":1,"list":[${"0,".repeat(2_000)}0]}`],
	['{"user_id":"u","amount":1e400}', "amount"]
];

export const framesStory = (plaza: () => System) =>
	describe("invalid frames", { concurrency: 8 }, () => {
		it("get one error frame each, and the socket keeps working", async () => {
			const socket = await openSocket(plaza().wsUrl);
			for (const [frame, field] of BAD_FRAMES) {
				const { code, data } = await socket.request(frame);
				assert.deepEqual([code, data.type, typeof data.message], ["error", "VALIDATION_ERROR", "string"], frame);
				if (field) assert.equal(data.field, field, frame);
				assert.doesNotMatch(data.message, /at .*\.(ts|js):\d|node_modules/, "the error contains a stack trace");
			}
			const user = fresh("user");
			assert.deepEqual(await socket.request({ code: "connect", data: { user } }), { code: "connected", data: { user } });
			assert.equal(socket.frames.length, BAD_FRAMES.length + 1);
			socket.close();
		});

		it("include every invalid id, in every field that is an id", async () => {
			const socket = await openSocket(plaza().wsUrl);
			for (const id of [...BAD_IDS, ...BAD_ID_TYPES]) {
				const json = JSON.stringify(id);
				for (const [frame, field] of [
					[{ code: "connect", data: { user: id } }, "user"],
					[{ user_id: id, amount: 1 }, "user_id"],
					[{ user_id: fresh("user"), amount: 1, id }, "id"]
				] as const) {
					const { code, data } = await socket.request(frame);
					assert.deepEqual([code, data.type, data.field], ["error", "VALIDATION_ERROR", field], `${field}: ${json}`);
				}
			}
			assert.ok(socket.open);
			socket.close();
		});

		it("get a short answer, however many fields are wrong", async () => {
			const socket = await openSocket(plaza().wsUrl);
			const fields = Object.fromEntries(Array.from({ length: 1_900 }, (_, n) => [`${"x".repeat(20)}${n}`, 0]));
			for (const frame of [fields, { code: "connect", data: fields }, { code: "watch", data: fields }]) {
				const { code, data } = await socket.request(frame);
				assert.deepEqual([code, data.type], ["error", "VALIDATION_ERROR"]);
				assert.match(data.message, /; and more$/);
				assert.equal(data.message.split("; ").length, 11);
			}
			socket.close();
		});

		it("do not connect a socket to a user: after a refused purchase it receives no frame of that user", async () => {
			const user = fresh("user");
			const [socket, other] = [await openSocket(plaza().wsUrl), await openSocketAs(plaza().wsUrl, user)];
			await socket.request({ user_id: user, amount: -1 });
			other.send({ user_id: user, amount: 1 });
			await other.waitFor(({ code }) => code === "balance", "the balance");
			assert.deepEqual(
				socket.frames.map(({ code }) => code),
				["error"]
			);
			socket.close();
			other.close();
		});

		it("start above 64 KiB: a frame of 64 KiB is handled, and one byte more closes the socket with 1009", async () => {
			const user = fresh("user");
			const frame = JSON.stringify({ code: "connect", data: { user } });
			const socket = await openSocket(plaza().wsUrl);
			assert.deepEqual(await socket.request(frame.padEnd(MAX_BYTES)), { code: "connected", data: { user } });
			socket.send(frame.padEnd(MAX_BYTES + 1));
			assert.equal(await socket.closed(), 1009);
		});

		it("are answered together with valid ones when all are sent at once", async () => {
			const user = fresh("user");
			const socket = await openSocketAs(plaza().wsUrl, user);
			const ids = ["one", "two", "three"].map(fresh);
			for (const id of ids) {
				socket.send({ user_id: user, amount: 1, id });
				socket.send("not json");
			}
			socket.send({ code: "watch", data: { selections: true } });
			await eventually(() => {
				assert.deepEqual(new Set(socket.of("purchase").map(({ data }) => data.id)), new Set(ids));
				assert.equal(socket.of("error").length, ids.length);
				assert.ok(socket.of("Selections").length > 0);
			}, "every frame to be answered");
			socket.close();
		});
	});
