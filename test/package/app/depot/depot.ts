// Accepts parcels: the row and the message are committed together.
import { database } from "@plaza/mixins/database";
import { grpc } from "@plaza/mixins/grpc";
import { outbox, relay } from "@plaza/mixins/outbox";
import type { Context, ServiceSchema } from "moleculer";
import { parcel, topics } from "../contracts.ts";
import { db, log } from "../drivers.ts";

const box = outbox(db.knex, { contracts: topics.contracts, table: "depot_outbox" });

interface ParcelRequest {
	id: string;
	customer: string;
	weight_grams: string;
}

async function accept({ params }: Context<ParcelRequest>) {
	const { id, customer, weight_grams } = params;
	const message = parcel.parse({ id, customer, weightGrams: Number(weight_grams) });
	return db.knex.transaction(async trx => {
		const added = await trx("parcels").insert({ id, customer, weight_grams }).onConflict("id").ignore().returning("id");
		const isNew = added.length === 1;
		if (isNew) await box.add(trx, [{ topic: "parcel.accepted", message }]);
		return { id, is_new: isNew };
	});
}

/** Whether every message has been published, and `group` has handled all of them. */
async function settled() {
	if ((await box.next(1)).length > 0) return { settled: false };
	const [ends, committed] = await Promise.all([log.ends("parcel.accepted"), log.committed("billing", "parcel.accepted")]);
	return { settled: ends.every((end, partition) => end === 0 || committed[partition] === end) };
}

export const depot = (port: number): ServiceSchema => ({
	name: "depot",
	mixins: [
		grpc({
			host: "127.0.0.1",
			port,
			protoFile: new URL("../depot.proto", import.meta.url).pathname,
			services: {
				"depot.Depot": {
					Accept: (request, ctx) => ctx.call("depot.accept", request),
					Bill: (request, ctx) => ctx.call("billing.bill", request),
					async *Charges(request, ctx) {
						yield* (await ctx.call("billing.charges", request)) as object[];
					},
					Settled: (request, ctx) => ctx.call("depot.settled", request)
				}
			}
		}),
		relay(box, log),
		database(db, new URL("./migrations/", import.meta.url))
	],
	actions: { accept, settled }
});
