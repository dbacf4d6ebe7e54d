import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { it } from "node:test";
import type { Server } from "@grpc/grpc-js";
import { checkCalls } from "./check-calls.ts";

it("does not answer a call that must be refused and whose stream is closed already", t => {
	const http2Server = new EventEmitter().on("stream", () => assert.fail("grpc-js must not get it"));
	const server = { http2Servers: new Map([[http2Server, {}]]) } as unknown as Server;
	checkCalls(server, new Set(), { addressOf: () => "203.0.113.7" });
	const respond = t.mock.fn(() => assert.fail("respond throws on a closed stream"));
	for (const state of [{ closed: true }, { destroyed: true }]) {
		const stream = Object.assign(new EventEmitter(), { ...state, respond });
		http2Server.emit("stream", stream, { "grpc-encoding": "gzip" }, 0, []);
	}
	assert.equal(respond.mock.callCount(), 0);
});
