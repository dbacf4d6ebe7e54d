// A show's seat map on Socket.IO: the snapshot, and every change after it, on every gateway.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSocketIo } from "./client.socket-io.ts";
import { eventually, expectStatus, fresh, httpClient, WAIT_MS } from "./client.ts";
import type { System } from "./system.ts";
import { mint, newAccount } from "./tokens.ts";

interface SeatMap {
	showId: string;
	version: number;
	seats: { seat: string; status: string }[];
}
type Answer = { ok: true; seats: SeatMap } | { ok: false; error: { type: string; field?: string } };

const SEATS = Array.from({ length: 20 }, (_, n) => `A${n + 1}`);
const BUYERS = 10;
const HOLDS = 100;

/** The seats' states by their names. */
const statesOf = ({ seats }: SeatMap) => new Map(seats.map(({ seat, status }) => [seat, status]));

/** A guest that keeps the map as a page does: from the snapshot, changed by each event. */
async function openWatcher(url: string, showId: string) {
	let known: { version: number; states: Map<string, string> } | undefined;
	const wrong: string[] = [];
	const onEvent = (event: string, payload: unknown) => {
		if (event !== "seats:updated") return;
		const { version, seats } = payload as SeatMap;
		if (!known) return wrong.push(`version ${version} before the snapshot`);
		if (version !== known.version + 1) wrong.push(`version ${version} after ${known.version}`);
		known.version = version;
		for (const { seat, status } of seats) known.states.set(seat, status);
	};
	const { socket, outcome } = await openSocketIo(url, { onEvent });
	assert.equal(outcome, "connected");
	return {
		async subscribe() {
			// In the acknowledgement itself: an event may arrive with the same packet of the network.
			await new Promise<void>((resolve, reject) =>
				socket.timeout(WAIT_MS).emit("subscribe:seats", { showId }, (error: Error | null, answer: Answer) => {
					if (error || !answer.ok) return reject(error ?? new Error(JSON.stringify(answer)));
					known = { version: answer.seats.version, states: statesOf(answer.seats) };
					resolve();
				})
			);
		},
		async send(event: string, data: unknown): Promise<Answer> {
			return socket.timeout(WAIT_MS).emitWithAck(event, data);
		},
		known: () => known,
		wrong,
		close: () => void socket.disconnect()
	};
}

export const seatsLiveStory = (plaza: () => System) =>
	describe("a show's seat map on Socket.IO", () => {
		const bearer = async (role: "user" | "admin" = "user") => ({
			authorization: `Bearer ${await mint(newAccount(), { role })}`
		});
		const newShow = async () => {
			const show = { name: "Hamlet", startsAt: new Date(Date.now() + 86_400_000).toISOString(), seats: SEATS };
			const { json } = await expectStatus(201, httpClient(plaza().url).post("/api/shows", show, await bearer("admin")));
			return json.showId as string;
		};
		const hold = async (url: string, showId: string, seat: string, buyer: Record<string, string>) =>
			(await expectStatus(201, httpClient(url).post(`/api/shows/${showId}/holds`, { seats: [seat] }, buyer))).json
				.holdId as string;
		const mapOf = async (showId: string): Promise<SeatMap> =>
			(await expectStatus(200, httpClient(plaza().url).get(`/api/shows/${showId}/seats`))).json;

		it("shows a change that was made through one gateway at the others, until the client unsubscribes", async () => {
			const { url, urls } = plaza();
			const showId = await newShow();
			const watchers = await Promise.all(urls.map(one => openWatcher(one, showId)));
			try {
				for (const { subscribe, known } of watchers) {
					await subscribe();
					assert.deepEqual(
						[...known()!.states],
						SEATS.map(seat => [seat, "free"])
					);
				}
				const before = watchers[0]!.known()!.version;
				const buyer = await bearer();
				const holdId = await hold(url, showId, "A7", buyer);
				for (const { known, wrong } of watchers)
					await eventually(() => {
						assert.deepEqual([known()!.version, known()!.states.get("A7")], [before + 1, "held"]);
						assert.deepEqual(wrong, []);
					}, "the held seat");
				for (const { send } of watchers.slice(1)) assert.deepEqual(await send("unsubscribe:seats", { showId }), { ok: true });
				await expectStatus(200, httpClient(url).post(`/api/holds/${holdId}/confirm`, undefined, buyer));
				await eventually(() => assert.equal(watchers[0]!.known()!.states.get("A7"), "sold"), "the sold seat");
				for (const { known } of watchers.slice(1)) assert.equal(known()!.states.get("A7"), "held");
			} finally {
				for (const { close } of watchers) close();
			}
		});

		it("refuses a show that does not exist, and data that is not valid", async () => {
			const { send, close } = await openWatcher(plaza().url, "");
			try {
				assert.deepEqual(await send("subscribe:seats", { showId: fresh("show") }), { ok: false, error: { type: "NOT_FOUND" } });
				const invalid = { ok: false, error: { type: "VALIDATION_ERROR", field: "showId" } };
				for (const event of ["subscribe:seats", "unsubscribe:seats"])
					for (const data of [{}, { showId: "" }, { showId: "x".repeat(65) }, { showId: 7 }])
						assert.deepEqual(await send(event, data), invalid, `${event} ${JSON.stringify(data)}`);
			} finally {
				close();
			}
		});

		it("is right for clients that subscribe on every gateway during 200 changes, with no version missing", async () => {
			const { urls } = plaza();
			const showId = await newShow();
			const watchers: Awaited<ReturnType<typeof openWatcher>>[] = [];
			let holds = 0;
			/** Holds seats that no other buyer uses, and releases most of them again. */
			const buy = async (n: number) => {
				const own = SEATS.filter((_, at) => at % BUYERS === n);
				const url = urls[n % urls.length]!;
				const buyer = await bearer();
				for (let turn = 0; turn < HOLDS / BUYERS; turn++) {
					const holdId = await hold(url, showId, own[turn % own.length]!, buyer);
					holds++;
					const isLast = turn === HOLDS / BUYERS - 1;
					if (!isLast) await expectStatus(204, httpClient(url).send("DELETE", `/api/holds/${holdId}`, buyer));
				}
			};
			/** Subscribes at different times of the run, and again. */
			const watch = async (n: number) => {
				const watcher = await openWatcher(urls[n % urls.length]!, showId);
				watchers.push(watcher);
				await eventually(() => assert.ok(holds >= n * 5), `${n * 5} holds`);
				await watcher.subscribe();
				await eventually(() => assert.ok(holds >= n * 5 + 10), `${n * 5 + 10} holds`);
				await watcher.subscribe();
			};
			try {
				await Promise.all([
					...Array.from({ length: BUYERS }, (_, n) => buy(n)),
					...Array.from({ length: 12 }, (_, n) => watch(n))
				]);
				assert.equal(holds, HOLDS);
				const map = await mapOf(showId);
				assert.equal(map.seats.filter(({ status }) => status === "held").length, BUYERS);
				for (const { known, wrong } of watchers) {
					await eventually(() => assert.equal(known()?.version, map.version), "the last version");
					assert.deepEqual([known()!.states, wrong], [statesOf(map), []]);
				}
			} finally {
				for (const { close } of watchers) close();
			}
		});
	});
