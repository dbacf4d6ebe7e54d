// A pick updates the count on every screen of its user, and on every screen that watches.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Frame, openSocket, openSocketAs, type Socket } from "./client.socket.ts";
import { eventually, expectStatus, fresh, httpClient } from "./client.ts";
import { BARRIER_NAME, ownName, type System } from "./system.ts";

type Counts = { name: string; count: number }[];

export async function countOf(system: System, name: string): Promise<number> {
	const { json } = await httpClient(system.url).get("/selections");
	return (json as Counts).find(one => one.name === name)?.count ?? assert.fail(`${name} is not listed`);
}

/**
 * Waits until all earlier picks have been counted: it sends picks of a separate name to (most likely) every partition, and each partition is
 * handled in order. It shows that no further count will arrive, which waiting alone could not show.
 */
export function waitUntilCounted(system: System): Promise<void> {
	const settle = async () => {
		const before = await countOf(system, BARRIER_NAME);
		const post = (id: string) =>
			expectStatus(202, httpClient(system.url).post("/api/selections/async", { name: BARRIER_NAME, id, user_id: "nobody" }));
		await Promise.all(Array.from({ length: 50 }, () => post(fresh("settled"))));
		await eventually(
			async () => assert.equal(await countOf(system, BARRIER_NAME), before + 50),
			"everything picked so far to be counted"
		);
	};
	// Sequential: concurrent calls would count each other's picks.
	lastSettled = lastSettled.then(settle, settle);
	return lastSettled;
}
let lastSettled: Promise<void> = Promise.resolve();

const neverDecreases = (counts: number[]) => counts.every((count, n) => n === 0 || count >= (counts[n - 1] as number));
const countsOn = (socket: Socket, name: string) =>
	socket.of("SelectionSummary").flatMap(({ data }) => (data.name === name ? [data.count as number] : []));
const isSummary = (name: string, count: number) => (frame: Frame) =>
	frame.code === "SelectionSummary" && frame.data.name === name && frame.data.count === count;

export const selectionsStory = (plaza: () => System) =>
	describe("selections", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);
		const pick = (name: string, user_id: string, id = fresh("pick"), url = plaza().url) =>
			expectStatus(202, httpClient(url).post("/api/selections/async", { name, id, user_id }));
		const synchronize = (user_id: string) => expectStatus(202, http().post("/api/selections/synchronization", { user_id }));
		/** Two sockets of one user, on two nodes if there are two. */
		const tabs = (user: string) =>
			Promise.all([plaza().wsUrls[0], plaza().wsUrls.at(-1)].map(url => openSocketAs(url as string, user)));

		it("answers connect with the user, with any ip in the frame and without one", async () => {
			const socket = await openSocket(plaza().wsUrl);
			const asked = await socket.request({ code: "connect", data: { ip: "127.0.0.1", user: "test-user" } });
			assert.deepEqual(asked, { code: "connected", data: { user: "test-user" } });
			socket.close();

			const other = await openSocket(plaza().wsUrl);
			assert.deepEqual(await other.request({ code: "connect", data: { user: "test-user" } }), {
				code: "connected",
				data: { user: "test-user" }
			});
			other.close();
		});

		it("pushes a pick as exactly one more to all tabs of its user, and to no other user", async () => {
			const [name, user] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const [[first, second], stranger] = await Promise.all([tabs(user), openSocketAs(plaza().wsUrl, fresh("stranger"))]);

			const answer = await pick(name, user);
			assert.equal(answer.status, 202);
			const frames = await Promise.all(
				[first, second].map(tab => (tab as Socket).waitFor(isSummary(name, before + 1), "the new count"))
			);
			for (const frame of frames)
				assert.deepEqual(frame, { code: "SelectionSummary", data: { name, count: before + 1, user_id: user } });

			assert.equal(await countOf(plaza(), name), before + 1);
			assert.deepEqual(
				stranger.frames.map(({ code }) => code),
				["connected"]
			);
			for (const socket of [first, second, stranger]) socket?.close();
		});

		it("accepts the contract's example: d, an id that is not a valid UUID, test-user", async () => {
			const body = { name: "d", id: "e0fcd4e5-bdc2-4f4e-f6e8-920bfc07804a", user_id: "test-user" };
			for (let n = 0; n < 2; n++) assert.equal((await http().post("/api/selections/async", body)).status, 202);
		});

		it("pushes exactly 180 more to both tabs, and never a lower count after a higher one, for 200 picks with 20 repeated ids", async () => {
			const [name, user] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const [first, second] = await tabs(user);
			const ids = Array.from({ length: 180 }, () => fresh("pick"));
			const all = [...ids, ...ids.slice(0, 20)].sort(() => Math.random() - 0.5);

			const answers = await Promise.all(all.map((id, n) => pick(name, user, id, plaza().urls[n % plaza().urls.length])));
			assert.ok(answers.every(({ status }) => status === 202));
			for (const tab of [first, second] as Socket[]) {
				await tab.waitFor(isSummary(name, before + 180), "the count with all 180");
				assert.ok(neverDecreases(countsOn(tab, name)), `decreased: ${countsOn(tab, name)}`);
			}
			await waitUntilCounted(plaza());
			assert.equal(await countOf(plaza(), name), before + 180);
			first?.close();
			second?.close();
		});

		it("counts once when one id is sent fifty times concurrently", async () => {
			const [name, user, id] = [ownName(), fresh("user"), fresh("pick")];
			const before = await countOf(plaza(), name);
			const answers = await Promise.all(
				Array.from({ length: 50 }, (_, n) => pick(name, user, id, plaza().urls[n % plaza().urls.length]))
			);
			assert.ok(answers.every(({ status }) => status === 202));
			await waitUntilCounted(plaza());
			assert.equal(await countOf(plaza(), name), before + 1);
		});

		it("keeps the first pick when its id is repeated with another name, or by another user", async () => {
			const [name, other, user, id] = [ownName(), ownName(), fresh("user"), fresh("pick")];
			const before = [await countOf(plaza(), name), await countOf(plaza(), other)] as const;
			const socket = await openSocketAs(plaza().wsUrl, user);
			const second = await openSocketAs(plaza().wsUrl, `${user}-2`);
			await pick(name, user, id);
			await socket.waitFor(isSummary(name, before[0] + 1), "the first");

			assert.equal((await pick(other, user, id)).status, 202);
			assert.equal((await pick(name, `${user}-2`, id)).status, 202);
			await waitUntilCounted(plaza());
			assert.deepEqual([await countOf(plaza(), name), await countOf(plaza(), other)], [before[0] + 1, before[1]]);
			assert.deepEqual(
				[countsOn(socket, name), countsOn(socket, other), second.of("SelectionSummary")],
				[[before[0] + 1], [], []]
			);
			socket.close();
			second.close();
		});

		it("synchronizes all tabs of the user with every name in order, including zeros", async () => {
			const user = fresh("user");
			const [[first, second], stranger] = await Promise.all([tabs(user), openSocketAs(plaza().wsUrl, fresh("stranger"))]);
			const listed = (await http().get("/selections")).json as Counts;

			await synchronize(user);
			for (const tab of [first, second] as Socket[]) {
				const frame = await tab.waitFor(({ code }) => code === "SynchronizationResults", "the results");
				assert.deepEqual(Object.keys(frame.data), ["user_id", "selections"]);
				assert.equal(frame.data.user_id, user);
				const selections = frame.data.selections as Counts;
				assert.deepEqual(
					selections.map(({ name }) => name),
					plaza().selectionNames
				);
				// Other tests pick meanwhile: a count may have increased since it was listed, but not decreased.
				for (const [n, one] of selections.entries()) {
					assert.deepEqual(Object.keys(one), ["name", "count"]);
					assert.ok(Number.isInteger(one.count) && one.count >= (listed[n]?.count as number));
				}
			}
			assert.equal(stranger.of("SynchronizationResults").length, 0);
			for (const socket of [first, second, stranger]) socket?.close();
		});

		it("answers every synchronization request, even if nothing has changed", async () => {
			const user = fresh("user");
			const socket = await openSocketAs(plaza().wsUrl, user);
			for (const times of [1, 2, 3]) {
				await synchronize(user);
				await eventually(
					() => assert.equal(socket.of("SynchronizationResults").length, times),
					`the results of synchronization ${times}, which was accepted`
				);
			}
			socket.close();
		});

		it("lists every configured name in order, including zeros", async () => {
			const { status, headers, json } = await http().get("/selections");
			assert.equal(status, 200);
			assert.match(headers.get("content-type") ?? "", /^application\/json/);
			assert.deepEqual(
				(json as Counts).map(({ name }) => name),
				plaza().selectionNames
			);
			for (const one of json as Counts) {
				assert.deepEqual(Object.keys(one), ["name", "count"]);
				assert.ok(Number.isInteger(one.count) && one.count >= 0);
			}
		});

		it("pushes all counts to a watcher at once, and then after any pick, at most ten times a second", async () => {
			const name = ownName();
			const before = await countOf(plaza(), name);
			const socket = await openSocket(plaza().wsUrls.at(-1) as string);
			const openedMs = Date.now();
			const first = await socket.request({ code: "watch", data: { selections: true } });
			assert.equal(first.code, "Selections");
			assert.deepEqual(
				(first.data as Counts).map(one => one.name),
				plaza().selectionNames
			);
			assert.equal((first.data as Counts).find(one => one.name === name)?.count, before);

			for (let n = 0; n < 200; n += 20) await Promise.all(Array.from({ length: 20 }, () => pick(name, fresh("anyone"))));
			const counts = () =>
				socket.of("Selections").map(({ data }) => (data as Counts).find(one => one.name === name)?.count as number);
			await eventually(() => assert.equal(counts().at(-1), before + 200), "the watcher to see all 200");
			assert.ok(neverDecreases(counts()), `decreased: ${counts()}`);
			const most = 2 + (Date.now() - openedMs) / 100;
			assert.ok(socket.frames.length <= most, `${socket.frames.length} frames, but at most ${most} are allowed`);
			assert.ok(
				socket.frames.every(({ code }) => code === "Selections"),
				"a socket without a user received frames of a user"
			);
			socket.close();
		});

		it("never pushes a lower count after a higher one to a socket, across all kinds of frames", async () => {
			const [name, user] = [ownName(), fresh("user")];
			const before = await countOf(plaza(), name);
			const [first, second] = await tabs(user);
			for (const tab of [first, second]) tab?.send({ code: "watch", data: { selections: true } });
			for (let n = 0; n < 10; n++) {
				const picks = Array.from({ length: 10 }, (_, k) =>
					pick(name, user, fresh("pick"), plaza().urls[k % plaza().urls.length])
				);
				await Promise.all([...picks, synchronize(user)]);
			}
			const counts = (tab: Socket) =>
				tab.frames.flatMap(({ code, data }) => {
					const listed: Counts = code === "Selections" ? data : code === "SelectionSummary" ? [data] : (data.selections ?? []);
					return listed.filter(one => one.name === name).map(({ count }) => count);
				});
			for (const tab of [first, second] as Socket[]) {
				await eventually(() => assert.equal(counts(tab).at(-1), before + 100), "the count of all");
				await eventually(() => assert.ok(tab.of("SynchronizationResults").length >= 10), "all synchronizations");
				assert.ok(neverDecreases(counts(tab)), `decreased: ${counts(tab)}`);
				tab.close();
			}
		});

		it("pushes no counts to sockets that do not watch", async () => {
			const [name, user] = [ownName(), fresh("user")];
			const [watching, not] = [
				await openSocketAs(plaza().wsUrl, fresh("user")),
				await openSocketAs(plaza().wsUrl, fresh("user"))
			];
			const before = (await watching.request({ code: "watch", data: { selections: true } })).data as Counts;
			const count = before.find(one => one.name === name)?.count as number;
			await pick(name, user);
			await watching.waitFor(
				({ code, data }) => code === "Selections" && (data as Counts).some(one => one.name === name && one.count === count + 1),
				"the watcher to see the pick"
			);
			assert.deepEqual(
				not.frames.map(({ code }) => code),
				["connected"]
			);
			assert.equal(watching.of("SelectionSummary").length, 0);
			watching.close();
			not.close();
		});

		it("counts similar ids separately", async () => {
			const [name, tail] = [ownName(), fresh()];
			const before = await countOf(plaza(), name);
			const alike = ["A", "a", " a", "\u00e9", "e\u0301", "%00", "'", '"', "\\", "😀"].flatMap(text => [
				`${text}${tail}`,
				`${tail}${text}`
			]);
			const ids = [
				...alike,
				tail.padEnd(64, "x"),
				tail.padEnd(63, "x"),
				...["__proto__", "constructor"].map(word => `${word}${tail}`)
			];
			for (const times of [1, 2]) {
				for (const id of ids) assert.equal((await pick(name, fresh("user"), id)).status, 202, `${id} (${times})`);
				await waitUntilCounted(plaza());
				assert.equal(await countOf(plaza(), name), before + ids.length);
			}
		});

		it("works for users whose ids are special words or need escaping in a URL", async () => {
			for (const user of ["__proto__", "constructor", fresh("a/b ?#%é😀")]) {
				const name = ownName();
				const before = await countOf(plaza(), name);
				const socket = await openSocketAs(plaza().wsUrl, user);
				await pick(name, user);
				const frame = await socket.waitFor(isSummary(name, before + 1), `${user} to see the pick`);
				assert.equal(frame.data.user_id, user);
				socket.close();
			}
		});
	});
