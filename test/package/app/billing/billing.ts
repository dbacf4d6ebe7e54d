// Charges each accepted parcel once, however often its message is delivered.
import { database } from "@plaza/mixins/database";
import type { Received } from "@plaza/mixins/topics";
import type { z } from "zod";
import { type parcel, topics } from "../contracts.ts";
import { db, log } from "../drivers.ts";
import { reach } from "../pause.ts";

async function charge({ message: { id, customer, weightGrams } }: Received<z.output<typeof parcel>>) {
	const isNew = await db.knex.transaction(async trx => {
		const row = { parcel_id: id, customer, weight_grams: weightGrams };
		const added = await trx("charges").insert(row).onConflict("parcel_id").ignore().returning("parcel_id");
		if (added.length === 0) return false;
		await trx.raw(
			`insert into bills (customer, parcels, total_grams) values (?, 1, ?)
			on conflict (customer) do update set parcels = bills.parcels + 1, total_grams = bills.total_grams + excluded.total_grams`,
			[customer, weightGrams]
		);
		await reach("charging");
		return true;
	});
	if (isNew) await reach("charged");
	else console.log(`${id} was charged before`);
	return { duplicates: isNew ? 0 : 1 };
}

export const billing = topics.service({
	name: "billing",
	mixins: [topics.mixin(log, { partitions: 4 }), database(db, new URL("./migrations/", import.meta.url))],
	topics: { "parcel.accepted": charge },
	actions: {
		async bill({ params }) {
			const [bill] = await db.knex("bills").where({ customer: params.name }).select("parcels", "total_grams");
			return bill ?? { parcels: 0, total_grams: 0 };
		},
		charges: ({ params }) =>
			db.knex("charges").where({ customer: params.name }).select("parcel_id", "weight_grams").orderBy("parcel_id")
	}
});
