import type { ServiceSchema } from "moleculer";
import { unavailableAs } from "../../mixins/errors.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { whenAllSettled } from "../../mixins/when-all-settled.ts";
import { type Caller, defineService, type Received } from "../define-service.ts";
import { balancesOf, type Change, changesByUser, compareVersions, totalOf } from "./wallet.rules.ts";
import type { BalanceStore, Raised } from "./wallet.store.ts";
import { type Brought, type ReceivedPurchase, recordUnproven } from "./wallet.unproven.ts";

const MISSED = "plaza.wallet.missed";

/**
 * The total that each user has spent: consumes the topic of purchases, keeps the totals in a balance store, and answers reads from it.
 * `outbox`: the one that publishes purchases. Only records with its proof change a total; every other purchase is recorded in Postgres first.
 */
export const wallet = (store: BalanceStore, outbox: Pick<Outbox, "proofs">, mixins: Partial<ServiceSchema>[] = []) => {
	// Reads of one event loop turn share a batch; while `concurrency` batches are running, further reads wait and share the next batch.
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
			/** The total in cents, from the store; totals that the store has not confirmed are read from purchase (Postgres) and confirmed in the store. */
			async centsOf(user_id: string, ctx: Caller): Promise<number> {
				const { cents, generation } = await read(user_id).catch((error: Error) => {
					if (!isStoreUnavailable)
						this.logger.warn(`the balance store is unavailable (${error.message}); reading balances from Postgres`);
					isStoreUnavailable = true;
					return { cents: undefined, generation: undefined };
				});
				if (isStoreUnavailable && generation !== undefined) {
					isStoreUnavailable = false;
					this.logger.info("the balance store is available again");
				}
				if (cents !== undefined) return cents;

				const total = await ctx.call("purchase.total", { user_id }).catch(unavailableAs("the wallet's store"));
				// Users without purchases are not stored, or reads of invented ids could fill the store. If this write fails, the next read repeats it.
				if (total.seq > 0 && generation !== undefined) store.confirm([{ user_id, ...total }], generation).catch(() => {});
				return total.total_cents;
			},

			/** Confirms totals that the store has from records only. If this fails, the next read of each user does it. */
			async confirmTotals(changes: Change<Received<unknown>>[], generation: string | undefined) {
				if (changes.length === 0 || generation === undefined) return;
				try {
					const reading = changes.map(async ({ entry: { user_id }, newest: { ctx } }) => {
						const total = await ctx.call("purchase.total", { user_id });
						return { user_id, ...total };
					});
					const totals = await Promise.all(reading);
					// Postgres may have been restored to a state without a user's purchases.
					const stored = totals.filter(({ seq }) => seq > 0);
					await store.confirm(stored, generation);
				} catch {
					// Postgres or the store is unavailable.
				}
			},

			/** Publishes the totals that the store holds now for the users of these changes. */
			async publishTotals(changes: Change<Received<unknown>>[], raised: Raised[]) {
				await whenAllSettled(
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
					const { isProven } = await outbox.proofs();
					const ours: Brought[] = [];
					const unproven: ReceivedPurchase[] = [];
					for (const source of received) {
						const total = totalOf(source.record.headers);
						if (total && isProven(source.record)) ours.push({ user_id: source.message.user_id, total, source });
						else unproven.push(source);
					}
					const { known, lookedUp } = await recordUnproven(unproven, this.logger);
					let duplicates = known;

					const changes = changesByUser([...ours, ...lookedUp]);
					const entries = changes.map(({ entry }) => entry);
					const { generation, ...first } = await store.raise(entries, {
						partition,
						nextOffset: received.at(-1)!.record.offset + 1
					});
					let { raised } = first;

					for (const [index, { entry, seqs, newest }] of changes.entries()) {
						const { before } = raised[index]!;
						const { duplicates: again, missed } = compareVersions(seqs, before);
						duplicates += again;
						this.logger.debug("total updated", { ...entry, before, requestID: newest.requestID });
						if (missed > 0) this.broker.metrics.increment(MISSED, {}, missed);
						if (missed > 0) this.logger.debug("versions missed", { ...entry, before, missed });
					}
					// Not awaited: the totals are valid without it, from Postgres.
					void this.confirmTotals(
						changes.filter((_, index) => !raised[index]!.isConfirmed),
						generation
					);
					// Also after a redelivery: the process may have died before it published.
					await this.publishTotals(changes, raised);
					// Another consumer may have published a newer total before ours arrived: the partition was revoked, or a purchase that was bought elsewhere
					// lies on another partition than its user's. Re-read and republish until ours is the newest.
					while (lookedUp.length > 0 || !isCurrent()) {
						const published = raised;
						({ raised } = await store.raise(entries));
						if (raised.every(({ newest }, index) => newest.seq === published[index]!.newest.seq)) break;
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
