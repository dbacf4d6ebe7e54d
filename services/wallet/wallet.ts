import type { ServiceSchema } from "moleculer";
import { unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { type Caller, defineService, type Received } from "../define-service.ts";
import { balancesOf, type Change, changesByUser, compareVersions, purchaseIDOf, totalOf } from "./wallet.rules.ts";
import type { BalanceStore, Raised } from "./wallet.store.ts";

const MISSED = "plaza.wallet.missed";

/** What everybody has spent, kept at hand: brought up to date by the topic of purchases, answered over gRPC and the broker. */
export const wallet = (store: BalanceStore, mixins: Partial<ServiceSchema>[] = []) => {
	// Reads that arrive in one turn, or while so many batches are under way that the store is busy, share a batch.
	const read = microBatch(
		async (users: string[]) => {
			const { totalsCents, generation } = await store.read(users);
			return totalsCents.map(cents => ({ cents, generation }));
		},
		{ maxItems: 500, maxWaiting: 20_000, concurrency: 4, name: "the wallet's store" }
	);
	let isStoreUnavailable = false;

	return defineService({
		name: "wallet",
		mixins,

		methods: {
			/** From the store; what it does not answer for is looked up where purchases are, and the store is told. */
			async centsOf(user_id: string, ctx: Caller): Promise<number> {
				const { cents, generation } = await read(user_id).catch((error: Error) => {
					if (!isStoreUnavailable)
						this.logger.warn(`the balance store does not answer (${error.message}): balances come from Postgres`);
					isStoreUnavailable = true;
					return { cents: undefined, generation: undefined };
				});
				if (isStoreUnavailable && generation !== undefined) {
					isStoreUnavailable = false;
					this.logger.info("balances come from the balance store again");
				}
				if (cents !== undefined) return cents;

				const total = await ctx.call("purchase.total", { user_id }).catch(unavailableAs("the wallet's store"));
				// Of those who never bought nothing is kept, or anybody could fill the store by asking. What fails here is made good by the next read.
				if (total.seq > 0 && generation !== undefined) store.confirm([{ user_id, ...total }], generation).catch(() => {});
				return total.total_cents;
			},

			/** What the store holds of those concerned. */
			async publishTotals(changes: Change<Received<unknown>>[], raised: Raised[]) {
				await Promise.all(
					changes.map(({ entry: { user_id }, newest: { requestID } }, index) => {
						const { seq, total_cents } = raised[index]!.newest;
						return this.publish(
							"WalletBalance",
							{ user_id, ...balancesOf(total_cents) },
							{ headers: { seq: String(seq) }, requestID }
						);
					})
				);
			}
		},

		actions: {
			async getBalance(ctx) {
				return balancesOf(await this.centsOf(ctx.params.user_id, ctx));
			},
			async getTotalSpent(ctx) {
				return balancesOf(await this.centsOf(ctx.params.user_id, ctx));
			}
		},

		publishes: ["WalletBalance"],
		topics: {
			user_purchase: {
				async batch({ received, partition, isCurrent }) {
					const ours = [];
					const elsewhere = [];
					for (const source of received) {
						const total = totalOf(source.record.headers);
						if (total) ours.push({ user_id: source.message.user_id, total, source });
						else elsewhere.push(source);
					}
					// It comes back with a total once it is recorded, and counts then.
					const answers = await Promise.all(
						elsewhere.map(({ message, record, ctx }) =>
							ctx.call("purchase.record", { ...message, id: purchaseIDOf(message.id, record) })
						)
					);
					let duplicates = answers.filter(({ recorded }) => !recorded).length;

					const changes = changesByUser(ours);
					const entries = changes.map(({ entry }) => entry);
					let raised = await store.raise(entries, { partition, nextOffset: received.at(-1)!.record.offset + 1 });

					for (const [index, { entry, seqs, newest }] of changes.entries()) {
						const { before, isConfirmed } = raised[index]!;
						const { duplicates: known, missed } = compareVersions(seqs, before);
						duplicates += known;
						this.logger.debug("total updated", { ...entry, before, requestID: newest.requestID });
						if (missed > 0) this.broker.metrics.increment(MISSED, {}, missed);
						if (missed > 0) this.logger.debug("versions missed", { ...entry, before, missed });
						// Not waited for: if it cannot be had now, whoever reads next has it looked up.
						if (!isConfirmed) this.centsOf(entry.user_id, newest.ctx).catch(() => {});
					}
					// Also for what was known already: a screen may have missed it.
					await this.publishTotals(changes, raised);
					// Held up until the partition was another's, we may have told an older total after it told a newer one: what is told last must be the newest.
					while (!isCurrent()) {
						const told = raised;
						raised = await store.raise(entries);
						if (raised.every(({ newest }, index) => newest.seq === told[index]!.newest.seq)) break;
						await this.publishTotals(changes, raised);
					}
					return { duplicates };
				}
			}
		},

		created() {
			this.broker.metrics.register({
				type: "counter",
				name: MISSED,
				description: "versions of totals that were never seen before a newer one"
			});
		}
	});
};
