// Twenty products. A few have a low stock, so that the dashboard shows warnings.

/** The sku (`DEMO-1`, …) identifies a product that exists already. */
const good = (name: string, description: string, price: number, category: string, stock: number) => ({
	name,
	description,
	price,
	category,
	stock
});

export const goods = [
	good("Olive oil", "Cold pressed, one litre", 12.5, "food", 120),
	good("Thyme honey", "From the hills, 450 g", 9.8, "food", 80),
	good("Sea salt", "Coarse, hand raked, 500 g", 4.2, "food", 200),
	good("Oregano", "Dried on the stalk", 2.9, "food", 150),
	good("Black olives", "In brine, 700 g", 6.4, "food", 90),
	good("Fig jam", "Three quarters figs, one quarter patience", 5.6, "food", 60),
	good("Mountain tea", "A bunch, for two winters", 3.7, "food", 75),
	good("Pistachios", "Roasted and salted, 250 g", 8.9, "food", 110),
	good("Clay mug", "Thrown by hand; no two are the same", 14, "home", 40),
	good("Linen towel", "50 by 70 cm, washed soft", 18.5, "home", 35),
	good("Bread board", "Olive wood, 40 cm", 32, "home", 12),
	good("Beeswax candle", "Burns for thirty hours", 7.5, "home", 65),
	good("Wicker basket", "Holds a week of vegetables", 27.9, "home", 9),
	good("Wool blanket", "Striped, 140 by 200 cm", 79, "home", 6),
	good("Leather sandals", "They last longer than the road", 64.9, "clothing", 25),
	good("Straw hat", "With a brim worth the name", 22, "clothing", 30),
	good("Fisherman's jumper", "Heavy, blue", 88.5, "clothing", 15),
	good("Notebook", "Stitched, 160 pages", 11.2, "paper", 140),
	good("Map of the islands", "All of them, at 1 to 500,000", 16.8, "paper", 50),
	good("Postcards", "Twelve views of the same harbour", 6, "paper", 4)
].map((one, n) => ({ ...one, sku: `DEMO-${n + 1}` }));
