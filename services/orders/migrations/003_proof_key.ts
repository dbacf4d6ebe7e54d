import type { Knex } from "knex";
import { addProofKey, dropProofKey } from "../../../mixins/outbox/schema.ts";

const OUTBOX = "orders_outbox";

export async function up(knex: Knex) {
	await addProofKey(knex, OUTBOX);
}

export async function down(knex: Knex) {
	await dropProofKey(knex, OUTBOX);
}
