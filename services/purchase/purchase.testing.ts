// What the parts of the purchase suite share.
import type { Knex } from "knex";
import type { Caller } from "../define-service.ts";
import type { PurchaseStore } from "./purchase.store.ts";

export interface Published {
	id: string;
	amount: number;
	createdAt: string;
	seq: number;
	totalCents: number;
	requestID: string | undefined;
}

/** The stores of two nodes on one database, and what the tests inspect. */
export interface PurchaseNodes {
	db: (table: string) => Knex.QueryBuilder;
	buy: [PurchaseStore["buy"], PurchaseStore["buy"]];
	/** Buys, and loses the connection to Postgres right after the commit. */
	buyAndDisconnect: PurchaseStore["buy"];
	totals: PurchaseStore["totals"];
	call: Caller["call"];
	/** The messages of a user for topic `user_purchase`, in order. */
	published: (userID: string) => Promise<Published[]>;
}
