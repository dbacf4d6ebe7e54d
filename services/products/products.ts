import { randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { type Deadline, deadlineIn, deadlineOf } from "../../mixins/deadline.ts";
import { conflict, invalid, notFound, unavailableAs } from "../../mixins/errors.ts";
import { takeTurns } from "../../mixins/in-turn.ts";
import { type Ctx, defineService, turnKeyOf } from "../define-service.ts";
import { type StoredProduct, toResponse } from "./products.rules.ts";
import type { ProductStore } from "./products.store.ts";

/** Below the 5 s after which a client must have an answer. */
const TIMEOUT_MS = 4_500;

const within = <T>(deadline: Deadline, work: Promise<T>): Promise<T> =>
	deadline.bound(work, "Postgres").catch(unavailableAs("Postgres"));

const noSuchProduct = (productId: string) => notFound("There is no such product", { productId });

/** Keeps the products and their prices. Their stock comes from inventory. */
export function products(store: ProductStore, { mixins = [] }: { mixins?: Partial<ServiceSchema>[] } = {}) {
	// A list may hold 200 products with long descriptions.
	const listInTurn = takeTurns("Postgres");
	/** The stock of each product, by one call. */
	const stocksOf = async (ctx: Ctx<unknown>, ids: string[], deadline: Deadline): Promise<number[]> => {
		if (ids.length === 0) return [];
		const levels = await ctx.call("inventory.levels", { ids }, { timeout: deadline.leftMs() });
		return levels.map(({ stock }) => stock);
	};
	const withStock = async (ctx: Ctx<unknown>, found: StoredProduct[], deadline: Deadline) => {
		const ids = found.map(({ productId }) => productId);
		const stocks = await stocksOf(ctx, ids, deadline);
		return found.map((product, n) => toResponse(product, stocks[n]!));
	};

	return defineService({
		name: "products",
		mixins,

		actions: {
			async create(ctx) {
				const { stock, ...product } = ctx.params;
				const deadline = deadlineOf(ctx, TIMEOUT_MS);
				const requestID = ctx.requestID ?? undefined;
				const added = await within(deadline, store.add({ ...product, productId: randomUUID() }, stock, requestID));
				if (!added) throw conflict("This sku is taken", { field: "sku" });
				const { productId, sku } = added;
				this.logger.info("created a product", { product: productId, by: ctx.meta.caller?.id ?? "operator", requestID });
				// So that it can be ordered at once. If the call fails, inventory adds the product when it consumes `product.created`.
				await ctx.call("inventory.open", { productId, sku, stock }, { timeout: deadline.leftMs() }).catch(error => {
					this.logger.warn(`inventory.open failed (${error.message}); inventory adds the product from product.created`, {
						product: productId,
						requestID
					});
				});
				return toResponse(added, stock);
			},

			async list(ctx) {
				const deadline = deadlineIn(TIMEOUT_MS);
				return listInTurn(turnKeyOf(ctx.meta), deadline, async () => {
					const page = await within(deadline, store.list(ctx.params));
					if (!page) throw invalid([{ field: "after", message: "must be the productId of a product" }]);
					return withStock(ctx, page, deadline);
				});
			},

			async get(ctx) {
				const deadline = deadlineIn(TIMEOUT_MS);
				const found = await within(deadline, store.find([ctx.params.id]));
				const [product] = await withStock(ctx, found, deadline);
				if (!product) throw noSuchProduct(ctx.params.id);
				return product;
			},

			async update(ctx) {
				const { id, ...changes } = ctx.params;
				const deadline = deadlineOf(ctx, TIMEOUT_MS);
				// Before the transaction, which must not wait for another service.
				const [stock] = await stocksOf(ctx, [id], deadline);
				const requestID = ctx.requestID ?? undefined;
				const product = await within(deadline, store.update(id, changes, stock!, requestID));
				if (!product) throw noSuchProduct(id);
				this.logger.info("changed a product", { product: id, by: ctx.meta.caller?.id ?? "operator", requestID });
				return toResponse(product, stock!);
			},

			async pick(ctx) {
				const found = await within(deadlineIn(TIMEOUT_MS), store.find(ctx.params.ids));
				return found.map(({ productId, sku, name, price }) => ({ productId, sku, name, price }));
			}
		}
	});
}
