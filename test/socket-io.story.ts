// Socket.IO on the gateway's port, with both transports.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import { openSocketIo } from "./client.socket-io.ts";
import { httpClient } from "./client.ts";
import { within } from "./process.ts";
import type { System } from "./system.ts";

export const socketIoStory = (plaza: () => System) =>
	describe("Socket.IO", { concurrency: 4 }, () => {
		for (const transport of ["polling", "websocket"]) {
			it(`accepts a connection by ${transport}, and no event calls an action by name`, async () => {
				const socket = io(plaza().url, { transports: [transport], upgrade: false, reconnection: false, forceNew: true });
				try {
					const connected = new Promise<void>((resolve, reject) => {
						socket.on("connect", resolve);
						socket.on("connect_error", reject);
					});
					await within(connected, 20_000, () => `a Socket.IO connection by ${transport}`);
					for (const event of ["call", "purchase.create", "summary.raise", "$node.list"]) {
						const answer = socket.timeout(500).emitWithAck(event, "summary.raise", { counts: [{ name: "a", count: 1_000_000 }] });
						await answer.then(
							got => assert.match(JSON.stringify(got), /error/i, `${event} was answered`),
							() => {}
						);
					}
					const { json } = await httpClient(plaza().url).get("/selections");
					assert.ok(json[0].count < 1_000_000);
				} finally {
					socket.disconnect();
				}
			});
		}

		it("closes a transport on which no client connects", async () => {
			const transport = new WebSocket(`${plaza().url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
			await within(once(transport, "open"), 20_000, () => "the transport to open");
			await within(once(transport, "close"), 40_000, () => "the transport to be closed");
		});

		it("allows one socket per transport, and survives malformed packets and events", async () => {
			const url = `${plaza().url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
			for (const packets of [
				["40", "40"],
				["40/admin,", "40"],
				["4"],
				["41"],
				["9"],
				["40", '42["error"]'],
				["40", '451-["x",{"_placeholder":true,"num":9}]'],
				["40", `42${"[".repeat(30_000)}`]
			]) {
				const transport = new WebSocket(url);
				const received: string[] = [];
				transport.on("message", data => received.push(String(data)));
				const closed = once(transport, "close");
				await within(once(transport, "open"), 20_000, () => "the transport to open");
				for (const packet of packets) transport.send(packet);
				transport.close();
				await within(closed, 20_000, () => "the transport to be closed");
				assert.ok(received.filter(text => text.startsWith('40{"sid"')).length <= 1, packets.join());
			}
			const { socket, outcome } = await openSocketIo(plaza().url);
			socket.disconnect();
			assert.equal(outcome, "connected");
		});

		it("closes a transport that sends bytes without an event, too many values, or text that is not as it was sent", async () => {
			const url = `${plaza().url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`;
			for (const packet of [
				Buffer.from("a"),
				`42["subscribe:orders",${"0,".repeat(2_000)}0]`,
				String.raw`42["subscribe:orders","\ud800"]`,
				'42["subscribe:orders",{"a":{"__proto__":1}}]'
			]) {
				const transport = new WebSocket(url);
				const closed = once(transport, "close");
				const connected = new Promise<void>(resolve => {
					transport.on("message", data => String(data).startsWith('40{"sid"') && resolve());
				});
				await within(once(transport, "open"), 20_000, () => "the transport to open");
				transport.send("40");
				await within(connected, 20_000, () => "the client to be connected");
				transport.send(packet);
				await within(closed, 20_000, () => `the transport to be closed after ${String(packet).slice(0, 30)}`);
			}
		});

		it("upgrades from polling to websocket", async () => {
			const socket = io(plaza().url, { reconnection: false, forceNew: true });
			try {
				const upgraded = new Promise<void>((resolve, reject) => {
					socket.io.on("open", () => socket.io.engine.once("upgrade", () => resolve()));
					socket.on("connect_error", reject);
				});
				await within(upgraded, 20_000, () => "the upgrade to websocket");
			} finally {
				socket.disconnect();
			}
		});

		it("refuses browsers from foreign origins", async () => {
			const { status, headers } = await httpClient(plaza().url).get("/socket.io/?EIO=4&transport=polling", {
				origin: "https://evil.example"
			});
			assert.ok(status === 403 || status === 400 || headers.get("access-control-allow-origin") === null, `${status}`);
			const socket = io(plaza().url, {
				transports: ["websocket"],
				reconnection: false,
				forceNew: true,
				extraHeaders: { origin: "https://evil.example" }
			});
			try {
				const outcome = new Promise<string>(resolve => {
					socket.on("connect", () => resolve("connected"));
					socket.on("connect_error", () => resolve("refused"));
				});
				assert.equal(await within(outcome, 20_000, () => "an answer to a foreign origin"), "refused");
			} finally {
				socket.disconnect();
			}
		});
	});
