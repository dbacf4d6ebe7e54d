import type { Knex } from "knex";
import { addProofKey, dropProofKey } from "../../../mixins/outbox/schema.ts";

export async function up(knex: Knex) {
	await addProofKey(knex);
}

export async function down(knex: Knex) {
	await dropProofKey(knex);
}
