// Contract of products: names, prices, categories. The stock comes from inventory.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { Amount } from "../../contract/money.ts";
import { Page } from "../../contract/page.ts";
import { text } from "../../contract/text.ts";
import { numberIn, topic } from "../../contract/topic.ts";

export const dependsOn = ["inventory"] as const;

const Sku = Id;
const Stock = z.int().nonnegative().max(1_000_000_000);
const trimmed = (max: number) => text(max, z.string().trim());
const details = { name: trimmed(200), description: trimmed(5_000), price: Amount, category: trimmed(64) };

export const Product = z.strictObject({ productId: Id, ...details, sku: Sku, stock: Stock, createdAt: z.iso.datetime() });

export const ProductMessage = z.looseObject({
	productId: Id,
	name: z.string(),
	sku: Sku,
	price: z.number(),
	stock: z.int().nonnegative(),
	category: z.string()
});

const example = {
	productId: "6f1e1d2c-6c0f-4f2d-9a55-0d9e6c1f7b11",
	name: "Olive oil",
	description: "Cold pressed, one litre",
	price: 12.5,
	category: "food",
	sku: "OIL-1",
	stock: 12,
	createdAt: "2026-01-31T12:00:00.000Z"
};
const { productId: _, createdAt: __, ...exampleRequest } = example;

export const actions = {
	"products.create": action({
		summary: "Creates a product, with its first stock",
		params: z.strictObject({ ...details, category: details.category.default("general"), sku: Sku, stock: Stock }),
		result: Product,
		errors: ["CONFLICT"],
		example: { params: exampleRequest, result: example },
		who: "admin",
		rest: "POST /api/products",
		status: 201
	}),
	"products.list": action({
		summary: "Lists products in the order of creation, with their stock",
		params: Page,
		result: z.array(Product),
		example: { params: {}, result: [example] },
		who: "anyone",
		rest: "GET /api/products"
	}),
	"products.get": action({
		summary: "Returns one product, with its stock",
		params: z.strictObject({ id: Id }),
		result: Product,
		errors: ["NOT_FOUND"],
		example: { params: { id: example.productId }, result: example },
		who: "anyone",
		rest: "GET /api/products/:id"
	}),
	"products.update": action({
		summary: "Changes the name, description, price or category of a product",
		params: z
			.strictObject({ id: Id, ...z.object(details).partial().shape })
			.refine(({ id: _, ...changes }) => Object.keys(changes).length > 0, {
				path: ["name"],
				message: "give at least one of name, description, price and category"
			}),
		result: Product,
		errors: ["NOT_FOUND"],
		example: { params: { id: example.productId, price: 11 }, result: { ...example, price: 11 } },
		who: "admin",
		rest: "PATCH /api/products/:id"
	}),
	/** The fields of these products that an order needs; unknown ids are left out. Errors: `UNAVAILABLE`. */
	"products.pick": action({
		params: z.strictObject({ ids: z.array(Id).max(100) }),
		result: z.array(z.strictObject({ productId: Id, sku: Sku, name: z.string(), price: z.number() }))
	})
};

/** Header `version` numbers the product's changes, from 1 for its creation. */
const productTopic = (event: string) =>
	topic({
		message: ProductMessage,
		key: product => product.productId,
		change: ({ productId }, { version }) => {
			const seq = numberIn(version);
			return seq === undefined ? undefined : { key: `product:${productId}`, seq };
		},
		subscription: "products",
		deliveries: [{ to: "admins", event }]
	});

export const topics = {
	"product.created": productTopic("admin:product:created"),
	"product.updated": productTopic("admin:product:updated")
};

export type Product = z.output<typeof Product>;
