// Socket.IO on the gateway's port, by both of its transports.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { io } from "socket.io-client";
import { httpClient } from "./client.ts";
import { within } from "./process.ts";
import type { System } from "./system.ts";

export const socketIoStory = (plaza: () => System) =>
	describe("Socket.IO", { concurrency: 4 }, () => {
		for (const transport of ["polling", "websocket"]) {
			it(`lets a client connect by ${transport}, and an event reach no action by its name`, async () => {
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

		it("moves from polling to websocket by itself", async () => {
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
