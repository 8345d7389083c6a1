package xtest

// language is what the made-up Posts of one language say. In sentences %s is
// the topic.
type language struct {
	code      string
	weight    int
	sentences []string
	more      []string // sentences without a topic, to go on with
}

// subjects are the topics while neither rules nor Topics give any.
var subjects = []string{
	"coop", "golang", "coffee", "football", "news", "weather", "music", "chess",
	"garden", "trains", "science", "cinema", "bakery", "hiking", "books", "opensource",
}

var languages = []language{
	{"en", 44, []string{
		"Has anyone else noticed how much better %s got this year?",
		"Three hours into %s and I have no regrets at all",
		"Our little %s group meets on Thursday, newcomers are welcome",
		"Hot take: %s is best before breakfast",
		"Reading up on %s tonight, tips &amp; links please",
		"BREAKING: local %s committee votes 7-2 in favour of longer evenings",
		"I was told there would be %s. There was no such thing.",
		"Somebody explained %s to me on the tram and now I can't stop thinking about it",
		"New post: what ten years of %s taught me about patience",
	}, []string{
		"The queue went round the corner and nobody complained.",
		"We start at half past six, bring something warm.",
		"Last time it rained the whole day and it was still worth it.",
		"More on that tomorrow, when the numbers are in.",
		"I kept a list of everything that went wrong; it is a short list.",
		"Thanks to all who carried chairs, cables and far too much soup.",
		"The second half was slower, but the ending made up for it.",
		"If you only have ten minutes, begin with the last chapter.",
	}},
	{"es", 8, []string{
		"¿Alguien más piensa en %s a estas horas?",
		"Hoy hemos hablado de %s durante toda la comida",
		"El taller de %s empieza mañana a las nueve, ¡no lleguéis tarde!",
	}, []string{"Al final llovió, pero nadie se fue.", "Traed algo de abrigo y muchas ganas.", "Mañana cuento el resto con más calma."}},
	{"pt", 6, []string{
		"Não consigo parar de pensar em %s hoje",
		"A reunião sobre %s foi adiada para quinta-feira, atenção!",
	}, []string{"No fim deu tudo certo, como sempre.", "Quem vier traz um bolo, combinado?"}},
	{"fr", 5, []string{
		"Quelqu'un peut m'expliquer %s en deux phrases ?",
		"Belle soirée autour de %s, merci à toutes et à tous",
	}, []string{"Il a plu, évidemment, mais quelle ambiance.", "On recommence dès la semaine prochaine."}},
	{"de", 5, []string{
		"Gibt es eigentlich gute Bücher über %s?",
		"Morgen großes Treffen zum Thema %s, Anmeldung läuft über die Straßenliste",
	}, []string{"Wer früh kommt, hilft beim Aufbau.", "Am Ende waren die Brötchen alle, aber die Stimmung gut."}},
	{"ja", 10, []string{
		"今日は %s の話ばかりしていました",
		"%s について詳しい人、教えてください!",
		"週末の %s 会、まだ席があります。お気軽にどうぞ",
	}, []string{"雨でしたが、みんな最後まで残ってくれました。", "続きはまた明日書きます。", "次回は駅前の小さな店で集まる予定です。"}},
	{"ar", 4, []string{
		"هل جرب أحد %s هذا الأسبوع؟",
		"اجتماعنا القادم عن %s يوم الخميس مساءً",
	}, []string{"كان المطر غزيراً لكن الجميع بقي حتى النهاية.", "شكراً لكل من ساعدنا اليوم."}},
	{"he", 2, []string{
		"מישהו יודע איפה לומדים %s בעיר?",
		"ערב של %s ביום חמישי, כולם מוזמנים",
	}, []string{"ירד גשם ועדיין היה שווה.", "תודה לכל מי שעזר."}},
	{"fa", 2, []string{"امروز فقط درباره %s حرف زدیم", "کسی هست که %s را خوب بلد باشد؟"}, []string{"می\u200cخواهم فردا ادامه بدهم.", "باران آمد اما همه ماندند."}},
	{"hi", 3, []string{
		"आज पूरा दिन %s के बारे में बात हुई",
		"क्या किसी ने %s आज़माया है?",
	}, []string{"बारिश हुई, फिर भी सब रुके रहे।", "बाकी कल लिखूँगा।"}},
	{"th", 2, []string{"วันนี้คุยกันเรื่อง %s ทั้งวันเลย", "มีใครรู้จัก %s ดีๆ บ้าง"}, []string{"ฝนตกแต่ทุกคนยังอยู่จนจบ", "พรุ่งนี้จะมาเล่าต่อ"}},
	{"ko", 3, []string{"오늘은 하루 종일 %s 이야기만 했어요", "%s 잘 아시는 분 계신가요?"}, []string{"비가 왔지만 모두 끝까지 남았습니다.", "나머지는 내일 쓰겠습니다."}},
	{"ru", 3, []string{"Кто-нибудь ещё следит за темой %s?", "Вечер про %s переносится на четверг, приходите"}, []string{"Шёл дождь, но никто не ушёл.", "Остальное расскажу завтра."}},
	{"uk", 1, []string{"Хто ще сьогодні думає про %s?"}, []string{"Їжаки теж прийшли, але пізніше."}},
	{"tr", 2, []string{"Bugün bütün gün %s konuştuk, İzlenimler yarın", "%s hakkında iyi bir kaynak bilen var mı?"}, []string{"Yağmur yağdı ama kimse gitmedi."}},
	{"el", 1, []string{"Ξέρει κανείς κάτι για %s;"}, []string{"Έβρεξε, αλλά μείναμε όλοι ως το τέλος."}},
	{"zh", 2, []string{"今天整天都在聊 %s", "有没有人懂 %s ,请教一下"}, []string{"下了一天雨,大家还是留到最后。", "剩下的明天再写。"}},
	{"bn", 1, []string{"আজ সারাদিন %s নিয়ে কথা হলো"}, []string{"বৃষ্টি হলেও সবাই শেষ পর্যন্ত ছিল।"}},
	{"ta", 1, []string{"இன்று முழுவதும் %s பற்றிப் பேசினோம்"}, []string{"மழை பெய்தது, ஆனால் எல்லோரும் இருந்தார்கள்."}},
	{"qme", 1, []string{"%s 🫠🫠🫠"}, []string{"💯💯"}},
}

// emoji has joined, toned, keycap and flag sequences.
var emoji = []string{
	"☕", "🚀", "😂", "🎉", "👀", "🙏🏼", "👍🏽", "🧑🏿‍💻", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🏴‍☠️", "❤️‍🔥", "🇯🇵", "🇧🇷", "🇺🇳", "1️⃣", "🐈‍⬛", "🥖", "🌧️", "🫶🏻",
}

// hostile texts try what breaks those who store or show Posts.
var hostile = []string{
	`<script>alert("%s")</script><img src=x onerror=alert(1)>`,
	`&lt;b onmouseover="x()"&gt;%s&lt;/b&gt; &amp;amp; &#x27;`,
	`javascript:alert('%s') data:text/html;base64,PGI+ vbscript:x`,
	`%s "quoted" 'single' back\slash \n \u0041 \\ \" %s %d {{7*7}} ${jndi:x}`,
	"%s line\u2028separator and paragraph\u2029separator, next\u0085line",
	"%s null\x00inside, bell\x07, escape \x1b[31mred\x1b[0m, delete\x7f",
	`%s {"data":{"id":"1","text":"no"}} "id":"999","id":"`,
	`"matching_rules":[{"id":"1","tag":"%s"}]}`,
	"}}]}\r\n{\"data\":{\"id\":\"2\"}}\r\n%s",
	`'; DROP TABLE posts; -- %s " OR "1"="1`,
	`=HYPERLINK("x","%s") @SUM(1) +1 -1`,
	"%s \u202eright to left override\u202c and \u2066isolates\u2069, a\u200bzero\u200bwidth",
	"%s Z̸̡̛̩̗͕a̷̧͇̾͊l̶̜͖̑g̵̹̈́ơ̶̱͠ \ufeffbom \ufffd replaced \U000e0041tag",
	"%s ../../../etc/passwd %2e%2e%2f C:\\con\\nul",
	"\t%s\ttabs\tand\r\nlines\n\n\n\nand spaces   ",
}

// syllables of invented names.
var syllables = []string{
	"vel", "mi", "ra", "tosk", "ben", "du", "lor", "ax", "qui", "nor", "pha", "zel", "ko", "wim", "sa", "tru", "ob", "eri", "jun", "hal",
}

// decorations of display names; %s is the name.
var decorations = []string{
	"%s", "%s", "%s", "%s", "%s", "%s ☕", "🌻 %s", "%s 🇺🇳", "%s | trains", "『%s』", "د. %s", "%s שלום", "<i>%s</i>", `%s "the 2nd"`, "%s\u202e", "Ｄｒ． %s", "%s 👩‍🔬✨",
}

var places = []string{"Upper Vellin", "Port Tosca", "北町", "somewhere near the harbour", "Quillon, Lower Ara", "🌍", "المدينة", ""}

var sources = []string{"Twitter Web App", "Twitter for iPhone", "Twitter for Android", "Twitter for iPad"}

// annotation is a context annotation: a domain and an entity, each with an id.
type annotation struct{ domainID, domain, description, entityID, entity string }

var annotations = []annotation{
	{"30", "Entities [Entity Service]", "Entity Service top level domain, every item that is in Entity Service should be in this domain", "781974596752842752", "Services"},
	{"46", "Business Taxonomy", "Categories within Brand Verticals that narrow down the scope of Brands", "1557696848252391426", "Food & Drink Business"},
	{"65", "Interests and Hobbies Vertical", "Top level interests and hobbies groupings, like Food or Travel", "825047692124442624", "Food"},
	{"66", "Interests and Hobbies Category", "A grouping of interests and hobbies entities, like Novelty Food or Destinations", "834828264786898945", "Drinks"},
	{"67", "Interests and Hobbies", "Interests, opinions, and behaviors of individuals, groups, or cultures; like Speciality Cooking or Theme Parks", "1046577790353428480", "Coffee"},
	{"131", "Unified Twitter Taxonomy", "A taxonomy of user interests. ", "847868745150119936", "Technology"},
	{"131", "Unified Twitter Taxonomy", "A taxonomy of user interests. ", "849075093150212096", "\"Open\" source\\software"},
}
