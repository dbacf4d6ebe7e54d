// A purchase is answered after its commit, counts once, and every API returns exact totals.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { grpcClient } from "./client.grpc.ts";
import { type Frame, openSocket, openSocketAs, type Socket } from "./client.socket.ts";
import { eventually, exchange, expectStatus, fresh, httpClient } from "./client.ts";
import type { System } from "./system.ts";

const isPurchase = (frame: Frame) => frame.code === "purchase";
const isBalance = (total: number) => (frame: Frame) => frame.code === "balance" && frame.data.balances.total === total;
const totals = (socket: Socket) => socket.of("balance").map(({ data }) => data.balances.total as number);

/** Invalid amounts, as JSON text, because some of them are not JSON numbers. */
const BAD_AMOUNTS = [
	"0",
	"-0",
	"-1",
	"-0.01",
	"1.005",
	"0.001",
	"0.005",
	"1e-9",
	"1000000.01",
	"1e7",
	"1e400",
	'"49.99"',
	'""',
	"null",
	"true",
	"[]",
	"[1]",
	"{}"
];
/** Valid amounts, among them some that give no whole number of cents in floating point. */
const GOOD_AMOUNTS = [0.01, 0.29, 0.57, 1.1, 1.15, 4.35, 8.2, 19.99, 49.99, 64.1, 1000000, 999999.99, 1e5];

export const purchasesStory = (plaza: () => System) =>
	describe("purchases and the wallet", { concurrency: 8 }, () => {
		const http = () => httpClient(plaza().url);
		const buy = (body: object, headers: Record<string, string> = {}) => http().post("/api/purchases", body, headers);
		const bought = (body: object) => expectStatus(201, buy(body));

		/** Waits until the wallet knows all purchases of a user, and checks the total in every API. */
		async function checkTotal(user: string, total: number) {
			const grpc = grpcClient(plaza().grpc);
			try {
				const expected = { balances: { total } };
				await eventually(async () => assert.deepEqual(await grpc.getBalance(user), expected), `${user} to have spent ${total}`);
				assert.deepEqual(await grpc.getTotalSpent(user), expected);
				for (const url of plaza().urls) {
					const { status, json } = await httpClient(url).get(`/api/wallet/${encodeURIComponent(user)}`);
					assert.deepEqual({ status, json }, { status: 200, json: expected });
				}
			} finally {
				grpc.close();
			}
		}

		it("answers the socket that sent the purchase, even without a connect, and then pushes the new balance to it", async () => {
			const user = fresh("buyer");
			const socket = await openSocket(plaza().wsUrl);
			const answer = await socket.request({ user_id: user, amount: 49.99 });
			assert.deepEqual(answer, { code: "purchase", data: { id: answer.data.id, user_id: user, amount: 49.99 } });
			assert.match(answer.data.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
			const balance = await socket.waitFor(({ code }) => code === "balance", "the balance");
			assert.deepEqual(balance, { code: "balance", data: { user_id: user, balances: { total: 49.99 } } });
			await checkTotal(user, 49.99);
			socket.close();
		});

		it("answers only the sending socket, and pushes the balance only to the buyer's sockets", async () => {
			const user = fresh("buyer");
			const [sender, otherSocket, stranger] = await Promise.all([
				openSocketAs(plaza().wsUrl, user),
				openSocketAs(plaza().wsUrls.at(-1) as string, user),
				openSocketAs(plaza().wsUrl, fresh("stranger"))
			]);
			sender.send({ user_id: user, amount: 1.5 });
			await sender.waitFor(isPurchase, "the answer");
			for (const socket of [sender, otherSocket]) await socket.waitFor(isBalance(1.5), "the balance");
			assert.deepEqual([otherSocket.of("purchase"), stranger.of("balance"), stranger.of("purchase")], [[], [], []]);
			for (const socket of [sender, otherSocket, stranger]) socket.close();
		});

		it("pushes the balance to the buyer's sockets when another user's socket sent the purchase", async () => {
			const [user, friend] = [fresh("buyer"), fresh("friend")];
			const [buyer, sender] = [await openSocketAs(plaza().wsUrl, user), await openSocketAs(plaza().wsUrl, friend)];
			sender.send({ user_id: user, amount: 3 });
			await sender.waitFor(isPurchase, "the answer");
			await buyer.waitFor(isBalance(3), "the balance");
			assert.deepEqual([sender.of("balance"), buyer.of("purchase")], [[], []]);
			buyer.close();
			sender.close();
		});

		it("connects a socket without a user to its first buyer, and keeps that user when it buys for another", async () => {
			const [first, second] = [fresh("first"), fresh("second")];
			const [socket, other] = [await openSocket(plaza().wsUrl), await openSocketAs(plaza().wsUrl, second)];
			for (const user_id of [first, second]) {
				const from = socket.frames.length;
				socket.send({ user_id, amount: 2 });
				await socket.waitFor(isPurchase, "the answer", { from });
			}
			await other.waitFor(isBalance(2), "the second's balance on its own socket");
			socket.send({ user_id: first, amount: 1 });
			await socket.waitFor(isBalance(3), "the first's balance");
			assert.deepEqual(new Set(socket.of("balance").map(({ data }) => data.user_id)), new Set([first]));
			socket.close();
			other.close();
		});

		it("gives the same answer and buys nothing when a user repeats an id, over sockets and over HTTP", async () => {
			const [user, id] = [fresh("buyer"), fresh("purchase")];
			const socket = await openSocketAs(plaza().wsUrl, user);
			const data = { id, user_id: user, amount: 12.34 };
			assert.deepEqual(await socket.request(data), { code: "purchase", data });
			await checkTotal(user, 12.34);
			for (let n = 0; n < 3; n++) {
				const from = socket.frames.length;
				socket.send(data);
				assert.deepEqual(await socket.waitFor(isPurchase, "the same answer", { from }), { code: "purchase", data });
			}
			for (const [body, headers] of [[data], [{ user_id: user, amount: 12.34 }, { "idempotency-key": id }]] as const) {
				const { status, json } = await buy(body, headers);
				assert.deepEqual({ status, json }, { status: 201, json: data });
			}
			await bought({ user_id: user, amount: 1 });
			await checkTotal(user, 13.34);
			socket.close();
		});

		it("answers CONFLICT and buys nothing when an id is repeated with another amount", async () => {
			const [user, id] = [fresh("buyer"), fresh("purchase")];
			const socket = await openSocketAs(plaza().wsUrl, user);
			await bought({ user_id: user, amount: 5, id });
			const from = socket.frames.length;
			socket.send({ user_id: user, amount: 6, id });
			const { data } = await socket.waitFor(({ code }) => code === "error", "the conflict", { from });
			assert.equal(data.type, "CONFLICT");
			assert.equal(typeof data.message, "string");
			const { status, json } = await buy({ user_id: user, amount: 6, id });
			assert.deepEqual([status, json.type, json.code], [409, "CONFLICT", 409]);
			await bought({ user_id: user, amount: 1 });
			await checkTotal(user, 6);
			socket.close();
		});

		it("accepts the same id from another user", async () => {
			const [id, one, two] = [fresh("purchase"), fresh("buyer"), fresh("buyer")];
			assert.deepEqual((await buy({ user_id: one, amount: 1, id })).json, { id, user_id: one, amount: 1 });
			assert.deepEqual((await buy({ user_id: two, amount: 2, id })).json, { id, user_id: two, amount: 2 });
			await checkTotal(one, 1);
			await checkTotal(two, 2);
		});

		it("buys once when one id is sent thirty times concurrently", async () => {
			const [user, id] = [fresh("buyer"), fresh("purchase")];
			const urls = plaza().urls;
			const ask = (n: number) =>
				httpClient(urls[n % urls.length] as string).post("/api/purchases", { user_id: user, amount: 7.77, id });
			const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(n)));
			for (const { status, json } of answers)
				assert.deepEqual({ status, json }, { status: 201, json: { id, user_id: user, amount: 7.77 } });
			await bought({ user_id: user, amount: 1 });
			await checkTotal(user, 8.77);
		});

		it("accepts one of two amounts when one id is sent with both concurrently", async () => {
			const [user, id] = [fresh("buyer"), fresh("purchase")];
			const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => buy({ user_id: user, amount: 1 + (n % 2), id })));
			const won = answers.filter(({ status }) => status === 201);
			const amount = won[0]?.json.amount as number;
			assert.ok(amount === 1 || amount === 2);
			assert.equal(won.length, 10);
			assert.ok(won.every(({ json }) => json.amount === amount));
			assert.ok(
				answers.filter(({ status }) => status !== 201).every(({ status, json }) => status === 409 && json.type === "CONFLICT")
			);
			await bought({ user_id: user, amount: 10 });
			await checkTotal(user, 10 + amount);
		});

		it("sums a hundred purchases of 49.99 to 4999, and of 0.10 to 10", async () => {
			for (const [amount, total] of [
				[49.99, 4999],
				[0.1, 10]
			] as const) {
				const user = fresh("buyer");
				const socket = await openSocketAs(plaza().wsUrl, user);
				for (let n = 0; n < 100; n++) socket.send({ user_id: user, amount });
				await socket.waitFor(isBalance(total), `the balance of ${total}`);
				await eventually(() => assert.equal(socket.of("purchase").length, 100), "all hundred answers");
				assert.equal(new Set(socket.of("purchase").map(({ data }) => data.id)).size, 100);
				const seen = totals(socket);
				assert.deepEqual(
					seen,
					seen.toSorted((one, other) => one - other)
				);
				await checkTotal(user, total);
				socket.close();
			}
		});

		it("stores every amount with at most two decimals exactly", async () => {
			const user = fresh("buyer");
			const socket = await openSocketAs(plaza().wsUrl, user);
			for (const amount of GOOD_AMOUNTS) {
				const { status, json } = await buy({ user_id: user, amount });
				assert.deepEqual([status, json.amount], [201, amount]);
			}
			const total = GOOD_AMOUNTS.reduce((cents, amount) => cents + Math.round(amount * 100), 0) / 100;
			await checkTotal(user, total);
			await socket.waitFor(isBalance(total), "the balance of all");
			socket.close();
		});

		it("refuses invalid amounts and names the field, over HTTP and over sockets", async () => {
			const user = fresh("buyer");
			const socket = await openSocketAs(plaza().wsUrl, user);
			for (const amount of BAD_AMOUNTS) {
				const text = `{"user_id":"${user}","amount":${amount}}`;
				const { status, json } = await http().post("/api/purchases", text);
				assert.deepEqual(
					[status, json.type, json.data.map((error: { field: string }) => error.field)],
					[422, "VALIDATION_ERROR", ["amount"]],
					text
				);
				const { code, data } = await socket.request(text);
				assert.deepEqual([code, data.type, data.field], ["error", "VALIDATION_ERROR", "amount"], text);
			}
			assert.equal((await http().post("/api/purchases", `{"user_id":"${user}","amount":NaN}`)).status, 400);
			await checkTotal(user, 0);
			socket.close();
		});

		it("lists every invalid field", async () => {
			const { status, json } = await buy({ user_id: "", amount: -1, id: "x".repeat(65) });
			assert.equal(status, 422);
			assert.deepEqual(json.data.map(({ field }: { field: string }) => field).sort(), ["amount", "id", "user_id"]);
		});

		it("rejects an Idempotency-Key that is repeated, is no plain text, or differs from the body", async () => {
			const user = fresh("buyer");
			const refused = async (body: object, key: string) => {
				const { status, json } = await buy({ user_id: user, amount: 1, ...body }, { "idempotency-key": key });
				assert.deepEqual([status, json.type, json.data], [400, "INVALID_HEADER", { header: "idempotency-key" }], key);
			};
			await refused({}, "x".repeat(65));
			await refused({ id: fresh() }, fresh());
			await refused({}, "one, two");
			await refused({}, "\u00fc");
			const body = JSON.stringify({ user_id: user, amount: 1 });
			const twice = `POST /api/purchases HTTP/1.1\r\nHost: x\r\nIdempotency-Key: one\r\nIdempotency-Key: two\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
			assert.match(await exchange(plaza().url, twice), /^HTTP\/1\.1 400 [\s\S]*"header":"idempotency-key"/);
			await checkTotal(user, 0);
		});

		it("returns 0 for a user without purchases", () => checkTotal(fresh("nobody"), 0));

		it("keeps users apart whose ids are special words, similar, or need escaping in a URL", async () => {
			const tail = fresh();
			const users = [" a", "a", "A", "a/b?c=d&e#f%", "..", "\u00e9", "e\u0301", "😀", "'"].map(text => `${text}${tail}`);
			await Promise.all(users.map((user_id, n) => bought({ user_id, amount: n + 1 })));
			for (const [n, user] of users.entries()) await checkTotal(user, n + 1);
			for (const word of ["__proto__", "constructor"]) {
				const [socket, grpc] = [await openSocketAs(plaza().wsUrl, word), grpcClient(plaza().grpc)];
				const { balances } = (await grpc.getBalance(word)) as { balances: { total: number } };
				await bought({ user_id: word, amount: 0.25 });
				await socket.waitFor(isBalance(balances.total + 0.25), `the balance of ${word}`);
				socket.close();
				grpc.close();
			}
		});
	});
