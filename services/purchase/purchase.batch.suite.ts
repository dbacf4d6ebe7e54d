// The promises of the store about concurrent purchases, at one node or two.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import type { Attempt, Outcome } from "./purchase.rules.ts";
import type { PurchaseNodes } from "./purchase.testing.ts";

const isOutcome = (answer: Outcome | Error): answer is Outcome => !(answer instanceof Error);
const attempt = (more: Partial<Attempt> = {}): Attempt => ({ id: randomUUID(), userID: randomUUID(), amountCents: 100, ...more });
const typeOf = (answer: unknown) => (answer as { type?: string }).type;

export const batchSuite = ({ buy, buyAndDisconnect, totals, published }: PurchaseNodes) => {
	describe("one batch", () => {
		it("numbers a user's purchases in the order of arrival, and a repeated id once", async () => {
			const [userID, other] = [randomUUID(), randomUUID()];
			const [first, second] = [attempt({ userID, amountCents: 3 }), attempt({ userID, amountCents: 1 })];
			const batch = [first, attempt({ userID: other }), second, first, attempt({ userID, amountCents: 2 })];
			const answers = await buy[0](batch);
			assert.deepEqual(
				answers.map(answer => isOutcome(answer) && answer.isNew),
				[true, true, true, false, true]
			);
			const messages = await published(userID);
			assert.deepEqual(
				messages.map(({ seq, totalCents }) => [seq, totalCents]),
				[
					[1, 3],
					[2, 4],
					[3, 6]
				]
			);
			assert.deepEqual([messages[0]?.id, messages[1]?.id], [first.id, second.id]);
		});

		it("refuses the second of two amounts under one id, and no other purchase", async () => {
			const one = attempt({ amountCents: 5 });
			const [won, lost, other] = await buy[0]([one, { ...one, amountCents: 6 }, attempt()]);
			assert.deepEqual([isOutcome(won!), typeOf(lost), isOutcome(other!)], [true, "CONFLICT", true]);
			assert.deepEqual(await totals([one.userID]), [{ seq: 1, total_cents: 5 }]);
		});

		it("answers the new purchases also if the lookup of earlier ones fails", async () => {
			const [earlier, fresh] = [attempt(), attempt()];
			await buy[0]([earlier]);
			const [again, bought] = await buyAndDisconnect([earlier, fresh]);
			assert.deepEqual([typeOf(again), isOutcome(bought!) && bought.isNew], ["UNAVAILABLE", true]);
			assert.equal((await published(fresh.userID)).length, 1);
		});

		it("refuses only the attempts whose strings Postgres cannot store", async () => {
			const batch = Array.from({ length: 50 }, () => attempt());
			batch[7] = attempt({ id: "a\u0000b" });
			batch[31] = attempt({ userID: "a\u0000b" });
			const answers = await buy[0](batch);
			assert.deepEqual(
				answers.flatMap((answer, index) => (isOutcome(answer) ? [] : [index])),
				[7, 31]
			);
			assert.deepEqual([typeOf(answers[7]), typeOf(answers[31])], ["VALIDATION_ERROR", "VALIDATION_ERROR"]);
			for (const [index, { userID }] of batch.entries())
				if (index !== 7 && index !== 31) assert.equal((await published(userID)).length, 1);
		});
	});

	it("buys each purchase once and numbers them without gaps when two nodes get a thousand attempts with repeated ids", async () => {
		const users = Array.from({ length: 5 }, () => randomUUID());
		const wanted = Array.from({ length: 500 }, (_, n) =>
			attempt({ userID: users[n % users.length], amountCents: 1 + (n % 997) })
		);
		const all = [...wanted, ...wanted].map(one => ({ one, rank: Math.random() })).sort((a, b) => a.rank - b.rank);
		const batches: Attempt[][] = [];
		for (let from = 0; from < all.length; from += 20) batches.push(all.slice(from, from + 20).map(({ one }) => one));
		const answers = (await Promise.all(batches.map((batch, n) => buy[n % 2]!(batch)))).flat();

		assert.deepEqual(
			answers.filter(answer => !isOutcome(answer)),
			[]
		);
		assert.equal(answers.filter(answer => isOutcome(answer) && answer.isNew).length, wanted.length);
		for (const userID of users) {
			const own = wanted.filter(one => one.userID === userID);
			const messages = await published(userID);
			assert.deepEqual(messages.map(({ id }) => id).sort(), own.map(({ id }) => id).sort());
			let totalCents = 0;
			for (const [n, message] of messages.entries()) {
				totalCents += Math.round(message.amount * 100);
				assert.deepEqual([message.seq, message.totalCents], [n + 1, totalCents]);
			}
			assert.deepEqual(await totals([userID]), [{ seq: own.length, total_cents: totalCents }]);
		}
	});
};
