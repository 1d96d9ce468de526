"""The words by which mail programs, in many languages, introduce what they quote or forward, and sign; and those of a text part that only excuses itself.

Each table is data; `folding` says what is made of it. Every pattern is looked for in a line that was cut, in lower case, with its blanks made one.
"""

from __future__ import annotations

import re

# "… wrote": the verbs of the line above a quote, as languages write them in it. Rows are languages; a verb may stand before or behind the name.
WROTE: tuple[tuple[str, str], ...] = (
    ("en", "wrote|writes|sent|quoting"),
    ("de", "schrieb|schrieben|schreibt|geschrieben|zitat von"),
    ("fr", "a écrit|avez écrit|as écrit|écrit|a ecrit"),
    ("es", "escribió|escribio|ha escrito|escribiste"),
    ("it", "ha scritto|scrive|scritto"),
    ("pt", "escreveu|escreve"),
    ("nl", "schreef|geschreven|schrijft"),
    ("pl", r"napisał|napisała|napisał\(a\)|napisano|pisze"),
    ("sv, da, nb", "skrev|skreiv|skriver"),
    ("fi", "kirjoitti"),
    ("is", "skrifaði"),
    ("cs", r"napsal|napsala|napsal\(a\)|napsal/a"),
    ("sk", r"napísal|napísala|napísal\(a\)|napísal/a"),
    ("hu", "írta|ezt írta"),
    ("ro", "a scris"),
    ("hr, bs, sr", "napisao je|napisala je|napisao|napisala|je napisao|je napisala|piše|пише"),
    ("sl", "je napisal|je napisala|napisal|napisala"),
    ("bg", "написа"),
    ("ru", r"написал|написала|написал\(а\)|пишет|писал"),
    ("uk", r"написав|написала|написав\(-ла\)|пише"),
    ("el", "έγραψε"),
    ("tr", "yazdı|şunu yazdı|şunları yazdı"),
    ("lt", "rašė|parašė"),
    ("lv", "rakstīja"),
    ("et", "kirjutas"),
    ("ca", "va escriure|ha escrit"),
    ("gl", "escribiu"),
    ("eu", "idatzi du"),
    ("id, ms", "menulis"),
    ("vi", "đã viết|viết"),
    ("ar", "كتب|كتبت|تمت كتابة ما يلي بواسطة|كتب ما يلي"),
    ("fa", "نوشت|نوشته است"),
    ("he", "כתב|כתבה|כתב/ה|מאת"),
    ("hi", "ने लिखा"),
)
# The same in languages that part no words, where nothing tells a verb's ends.
WROTE_UNPARTED: tuple[tuple[str, str], ...] = (
    ("zh", "写道|寫道|写到|写了"),
    ("ja", "のメッセージ|のメール|さんは書きました|が書きました|書き込みました|書きました|wrote"),
    ("ko", "작성|님이 작성|쓴 글|께서 작성|씀"),
    ("th", "เขียนว่า|เขียน"),
)
# "On Monday, …": how such a line begins. Digits, weekdays' short names with a comma or a stop, and addresses are known without a row.
BEGINS: tuple[tuple[str, str], ...] = (
    ("en", "on|at|in a message dated|from|quoting"),
    ("de", "am|zitat von"),
    ("fr", "le|en date du|selon|dans un message du"),
    ("es", "el|en"),
    ("it", "il|in data|il giorno|alle"),
    ("pt", "em|no dia|a|às"),
    ("nl", "op"),
    ("pl", "w dniu|dnia|w"),
    ("sv, da, nb, nn", "den|på|kl|d"),
    ("cs, sk", "dne|dňa|v"),
    ("hu", "ekkor"),
    ("ro", "în|pe data de|la|in"),
    ("hr, sr, sl", "dana|dne|u|v"),
    ("bg, ru, uk", "на|в|дана"),
    ("el", "στις|την"),
    ("lt, lv, et", "kuupäev|kuupäeval"),
    ("ca, gl, eu", "el dia|o|missatge de"),
    ("id, ms", "pada"),
    ("vi", "vào"),
    ("ar", "في|بتاريخ"),
    ("fa", "در|در تاریخ"),
    ("he", "בתאריך|ב-"),
    ("th", "เมื่อ|ใน"),
    ("zh", "在|于"),
)
# Somebody who writes of what was written: "On 5 May at 10:30 I wrote to you:" introduces no quote.
FIRST_PERSON: tuple[tuple[str, str], ...] = (
    ("en", "i wrote|we wrote|i sent|we sent|i have sent|i had sent|sent me|sent you|sent us|you sent|was sent"),
    ("de", "schrieb ich|schrieben wir|habe ich .{0,60}geschrieben|ich .{0,60}geschrieben"),
    ("fr", "j'ai écrit|j’ai écrit|je vous ai écrit|nous avons écrit"),
    ("es", "le escribí|he escrito"),
    ("it", "ho scritto|abbiamo scritto"),
    ("nl", "schreef ik|heb ik .{0,60}geschreven"),
    ("sv, da, nb", "skrev jag|skrev jeg"),
    ("fi", "kirjoitin"),
)

# "-----Original Message-----": what stands between the dashes above the mail that is answered.
ORIGINAL: tuple[tuple[str, str], ...] = (
    ("en", "original message|reply message|original appointment|original e-mail|original email|original mail"),
    ("de", "ursprüngliche nachricht|ursprungliche nachricht|originalnachricht|original-nachricht|original nachricht|originale nachricht|"
           "ursprüngliche mitteilung|ende der kundennachricht"),
    ("fr", "message d'origine|message d’origine|message original|message initial|message originel|courriel original|mail original"),
    ("es", "mensaje original|correo original"),
    ("it", "messaggio originale|messaggio originario"),
    ("pt", "mensagem original"),
    ("nl", "oorspronkelijk bericht|origineel bericht|oorspronkelijke bericht"),
    ("pl", "wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|pierwotna wiadomość|original message|wiadomość wcześniejsza"),
    ("sv", "ursprungligt meddelande|originalmeddelande|ursprungligt mail"),
    ("da", "oprindelig meddelelse|oprindelig besked|den oprindelige meddelelse|original meddelelse"),
    ("nb, nn", "opprinnelig melding|opprinneleg melding|original melding"),
    ("fi", "alkuperäinen viesti"),
    ("is", "upprunaleg skilaboð"),
    ("cs", "původní zpráva|původní e-mail|puvodni zprava"),
    ("sk", "pôvodná správa|povodna sprava|pôvodný e-mail"),
    ("hu", "eredeti üzenet|eredeti levél"),
    ("ro", "mesajul original|mesaj original|mesajul iniţial|mesajul inițial"),
    ("hr, bs", "izvorna poruka|originalna poruka"),
    ("sr", "изворна порука|оригинална порука|originalna poruka"),
    ("sl", "izvirno sporočilo|izvorno sporočilo"),
    ("bg", "оригинално съобщение|оригинално писмо|първоначално съобщение"),
    ("ru", "исходное сообщение|оригинальное сообщение|первоначальное сообщение|исходное письмо"),
    ("uk", "вихідне повідомлення|оригінальне повідомлення|початкове повідомлення|оригінал повідомлення"),
    ("el", "αρχικό μήνυμα|πρωτότυπο μήνυμα"),
    ("tr", "orijinal mesaj|özgün ileti|orijinal ileti|asıl mesaj|orjinal mesaj|özgün mesaj"),
    ("lt", "originalus laiškas|pradinis laiškas|pirminis laiškas"),
    ("lv", "oriģinālais ziņojums|sākotnējais ziņojums"),
    ("et", "algne kiri|algne sõnum|algteade|originaalkiri|algsõnum"),
    ("ca", "missatge original"),
    ("gl", "mensaxe orixinal"),
    ("eu", "jatorrizko mezua"),
    ("id", "pesan asli"),
    ("ms", "mesej asal"),
    ("vi", "thư gốc|tin nhắn gốc|thông điệp gốc"),
    ("ar", "الرسالة الأصلية|رسالة أصلية|الرسالة الاصلية|الرسالة الأصليَّة"),
    ("fa", "پیام اصلی"),
    ("he", "הודעה מקורית|ההודעה המקורית"),
    ("hi", "मूल संदेश"),
    ("th", "ข้อความต้นฉบับ|ข้อความเดิม"),
    ("zh", "原始邮件|原邮件|邮件原件|原始信息|原始邮件信息|原始郵件|原始訊息|原信件|回复的原邮件|回复的原始邮件|回复邮件"),
    ("ja", "元のメッセージ|元のメール|オリジナルメッセージ|受信メール|元メール"),
    ("ko", "원본 메시지|원본 메일|원본 이메일|원본메일|원본 메세지"),
)
# "---------- Forwarded message ---------" and "Begin forwarded message:".
FORWARDED: tuple[tuple[str, str], ...] = (
    ("en", "forwarded message|forwarded mail|begin forwarded message|forwarded by|forwarded email|forwarded letter"),
    ("de", "weitergeleitete nachricht|anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail|beginn der weitergeleiteten nachricht|"
           "weitergeleitete mail|weitergeleitete e-mail"),
    ("fr", "message transféré|début du message transféré|début du message réexpédié|message réexpédié|message transmis|courriel transféré"),
    ("es", "mensaje reenviado|inicio del mensaje reenviado"),
    ("it", "messaggio inoltrato|inizio messaggio inoltrato|inizio del messaggio inoltrato"),
    ("pt", "mensagem encaminhada|mensagem reencaminhada|início da mensagem encaminhada|início da mensagem reencaminhada"),
    ("nl", "doorgestuurd bericht|begin doorgestuurd bericht"),
    ("pl", "wiadomość przekazana|przekazana wiadomość|przekazana dalej wiadomość|początek przekazanej wiadomości|wiadomość przesłana dalej|"
           "początek przekazywanej wiadomości"),
    ("sv", "vidarebefordrat meddelande|vidarebefordrat brev|påbörja vidarebefordrat meddelande"),
    ("da", "videresendt meddelelse|videresendt besked|start på videresendt besked|begynd videresendt besked"),
    ("nb", "videresendt melding|start på videresendt melding|videresend melding"),
    ("fi", "välitetty viesti|edelleenlähetetty viesti|välitetty viesti alkaa|välitetty sanoma"),
    ("cs", "přeposlaná zpráva|přeposlaný e-mail|začátek přeposlané zprávy"),
    ("sk", "preposlaná správa|začiatok preposlanej správy"),
    ("hu", "továbbított üzenet|továbbított levél"),
    ("ro", "mesaj redirecționat|mesaj redirecţionat|mesaj transmis|mesajul redirecționat"),
    ("hr, bs", "proslijeđena poruka|prosleđena poruka"),
    ("sl", "posredovano sporočilo"),
    ("bg", "препратено съобщение|препратено писмо"),
    ("ru", "пересылаемое сообщение|перенаправленное сообщение|пересланное сообщение|начало переадресованного сообщения|начало переадресованного письма|"
           "конец переадресованного сообщения|пересылаемое письмо|пересланное письмо"),
    ("uk", "переслане повідомлення|перенаправлене повідомлення|початок пересланого повідомлення"),
    ("el", "προωθημένο μήνυμα|έναρξη προωθημένου μηνύματος"),
    ("tr", "iletilen mesaj|yönlendirilen mesaj|iletilmiş mesaj|iletilen ileti"),
    ("ca", "missatge reenviat"),
    ("id", "pesan terusan|pesan diteruskan"),
    ("vi", "thư đã chuyển tiếp|chuyển tiếp tin nhắn|tin nhắn đã chuyển tiếp"),
    ("ar", "رسالة مُعاد توجيهها|رسالة معاد توجيهها|الرسالة المعاد توجيهها|رسالة محولة|بدء الرسالة المعاد توجيهها"),
    ("he", "הודעה שהועברה|הודעה מועברת"),
    ("zh", "转发的邮件|转发邮件|转发邮件信息|已转发邮件|转发的消息|轉寄郵件|轉寄的郵件|轉寄的訊息|已轉寄訊息|開始轉寄郵件|下面是被转发的邮件|下面是转发的邮件"),
    ("ja", "転送されたメッセージ|転送メッセージ|転送されたメール|転送元メール"),
    ("ko", "전달된 메시지|전달된 메일|전달받은 메시지|전달 메시지"),
)
# "Fwd:" and its like before a subject. "VS" is not among them: it forwards in Danish, and answers in Finnish.
FORWARDING_SUBJECT = re.compile(
    r"\s*(?:\[[^\]]{0,60}\]\s*)?(?:fwd?|fw|wg|tr|rv|enc|doorst|pd|vl|vb|vid|i|i̇lt|ilt|iletilen|továbbítás|tov|πρθ|転送|转发|轉寄|转寄|전달|הועבר|إعادة توجيه|תועבר)\s*[:：]", re.IGNORECASE
)

# The lines of a header above the mail that is answered, as languages label them: who wrote ("f"), when ("d"), to whom ("t"), about what ("s"), other ("o").
LABELS: tuple[tuple[str, str, str, str, str], ...] = (
    # language, from, date, to, subject
    ("en", "from", "sent|date|sent on|received|send", "to", "subject"),
    ("de", "von", "gesendet|datum|gesendet am|versendet|versand", "an", "betreff|thema"),
    ("fr", "de|expéditeur|de la part de", "envoyé|date|envoye|message du|date d'envoi|envoyé le|le", "à|a|destinataire|pour", "objet|sujet"),
    ("es", "de|remitente", "enviado|fecha|enviado el|enviada el|enviados", "para|a", "asunto"),
    ("it", "da|mittente", "inviato|data|inviata|inviato il", "a|per", "oggetto"),
    ("pt", "de|remetente", "enviado|enviada|data|enviada em|enviado em|enviada a", "para", "assunto"),
    ("nl", "van", "verzonden|datum|verzonden op|verstuurd", "aan", "onderwerp"),
    ("pl", "od|nadawca", "wysłano|data|wysłane|wyslano|wysłany|data wysłania", "do|adresat|odbiorca", "temat"),
    ("sv", "från|fran", "skickat|datum|skickad", "till", "ämne|amne"),
    ("da", "fra", "sendt|dato", "til", "emne"),
    ("nb, nn", "fra|frå", "sendt|dato", "til", "emne"),
    ("fi", "lähettäjä", "lähetetty|päivämäärä|päiväys", "vastaanottaja|kenelle", "aihe"),
    ("is", "frá", "sent|dagsetning", "til", "efni"),
    ("cs", "od", "odesláno|datum|odeslano", "komu|pro", "předmět|predmet"),
    ("sk", "od", "odoslané|dátum|poslané", "komu|pre", "predmet"),
    ("hu", "feladó", "elküldve|küldve|dátum|küldés ideje", "címzett", "tárgy"),
    ("ro", "de la|expeditor", "trimis|data|dată", "către|catre|la", "subiect"),
    ("hr, bs, sr, sl", "od|šalje|pošiljatelj|posiljatelj|pošiljalac", "poslano|datum|poslato|dana", "za|prima|do", "predmet|zadeva|naslov"),
    ("bg", "от|подател", "изпратено|дата", "до|получател", "относно|тема"),
    ("ru", "от|от кого|отправитель", "отправлено|дата|отправлен|послано", "кому|получатель", "тема"),
    ("uk", "від|від кого|відправник", "надіслано|дата|відправлено", "кому|до", "тема"),
    ("el", "από|αποστολέας", "στάλθηκε|εστάλη|ημερομηνία|αποστολή", "προς", "θέμα"),
    ("tr", "kimden|gönderen|from", "gönderme tarihi|gönderilen|tarih|gönderildi", "kime|alıcı", "konu"),
    ("lt", "nuo|siuntėjas", "išsiųsta|data", "kam|iki", "tema"),
    ("lv", "no", "nosūtīts|datums", "kam", "temats|tēma"),
    ("et", "saatja|kellelt", "saadetud|kuupäev", "adressaat|kellele", "teema"),
    ("ca", "de", "enviat|data", "per a|a", "assumpte|tema"),
    ("id, ms", "dari|daripada", "dikirim|tanggal|dihantar", "kepada|ke", "perihal|subjek|subyek|hal"),
    ("vi", "từ|người gửi", "đã gửi|ngày|gửi|ngày gửi", "tới|đến|người nhận", "chủ đề|tiêu đề"),
    ("ar", "من|المرسل", "تاريخ الإرسال|أرسلت|تم الإرسال|التاريخ|مُرسَل|أُرسلت|أرسل|تاريخ الارسال", "إلى|الى|المستلم", "الموضوع|موضوع"),
    ("fa", "از|فرستنده", "تاریخ|ارسال شده|ارسال", "به|گیرنده", "موضوع"),
    ("he", "מאת|מ", "נשלח|תאריך|נשלח ב", "אל|ל", "נושא|הנושא"),
    ("hi", "प्रेषक|से", "दिनांक|भेजा गया", "प्रति|सेवा में", "विषय"),
    ("th", "จาก", "ส่ง|วันที่|ส่งเมื่อ", "ถึง", "เรื่อง|หัวเรื่อง"),
    ("zh", "发件人|寄件者|寄件人|发自|發件人", "发送时间|日期|发送日期|寄件日期|傳送時間|发件日期|時間|时间|已傳送|發送時間", "收件人|收件者", "主题|主旨|主題|标题"),
    ("ja", "差出人|送信者|from", "送信日時|日時|日付|送信日|送信済み|date", "宛先|to", "件名|subject"),
    ("ko", "보낸 사람|보낸사람|발신|발신자|from", "보낸 날짜|날짜|보낸날짜|전송 시간|보냄|date|sent", "받는 사람|받는사람|수신|수신자|to", "제목|subject"),
)
OTHER_LABELS = frozenset(
    ["cc", "bcc", "copy", "reply-to", "reply to", "importance", "priority", "attachments", "attachment", "organization", "kopie", "antwort an", "wichtigkeit", "priorität", "anlagen", "anhänge", "cci", "copie", "répondre à", "importance", "pièces jointes", "pièce jointe", "cco", "responder a", "importancia", "datos adjuntos", "c.c.", "ccn", "rispondi a", "risposta", "priorità", "allegati", "cópia", "responder para", "antwoord aan", "bijlagen", "urgentie", "dw", "udw", "ważność", "odpowiedz do", "załączniki", "kopia", "svar till", "prioritet", "cc.", "svar til", "vedhæftede filer", "kopio", "vastaus", "kopii", "másolatot kap", "más", "kópia", "în cc", "копия", "копие", "копія", "ответить", "приоритет", "κοιν", "κοινοποίηση", "bilgi", "ek", "öncelik", "نسخة", "نسخه", "نسخة إلى", "עותק", "תשובה ל", "抄送", "副本", "密送", "回复", "答复", "重要性", "附件", "cc/抄送", "返信先", "重要度", "添付ファイル", "참조", "숨은 참조", "중요도", "สำเนา", "tembusan", "salinan", "đồng gửi", "reply", "mailed-by", "signed-by", "list-id", "auf wunsch von"]
)

# "Sent from my iPhone": lines that a program puts under what somebody wrote. Each stands for the whole line, freed of brackets and of links.
_DEVICE = (
    r"(?:iphone|ipad|ipod|i-?phone|android|smartphone|phone|handy|telefon\w*|téléphone|teléfono|telefono|telemóvel|telefone|móvil|movil|mobile?\w*|cell\w*|handheld|"
    r"blackberry|samsung|galaxy|huawei|xiaomi|redmi|honor|oneplus|nokia|sony|xperia|htc|lg|motorola|moto|pixel|oppo|realme|vivo|tablet\w*|surface|windows|pc|mac\w*|"
    r"laptop|computer|outlook|mail\w*|e-mail|gmail|yahoo|protonmail|proton|thunderbird|spark|airmail|k-9|fairmail|bluemail|gmx|web\.de|freenet|telekom|libero|orange|sfr|"
    r"laposte|free|alice|tiscali|aol|hotmail|zoho|tutanota|tuta|posteo|mailbird|nine|ti-\d+|typeapp|alcatel|wiko|fairphone|device|gerät|apple|watch|смартфон\w*|телефон\w*|"
    r"почт\w*|айфон\w*|яндекс\w*|устройств\w*)"
)
MOBILE: tuple[tuple[str, str], ...] = (
    ("en", rf"(?:sent|(?:this )?(?:message|email|e-mail)(?: was)? sent|sent securely|composed|posted|replied) (?:from|via|with|using|by)(?: my| a| an| the)?(?: [^\s,;:!?]+){{0,5}}? ?"
           rf"{_DEVICE}(?: [^\s,;:!?.]+){{0,5}}(?:[.,!;–-]+\s*(?:please|pls|excuse|pardon|apolog|sorry|forgive|so |brevity|typos).{{0,80}})?[.!]?"),
    ("en", r"\w+ from (?:my )?(?:mobile|phone)|sent by galaxy"),
    ("en", rf"from my {_DEVICE}(?: [^\s,;:!?.]+){{0,4}}"),
    ("en", r"sent from my [a-z]+(?: [a-z0-9]+){0,2}(?: (?:wireless|android|mobile))?(?: device| phone)"),
    ("en", r"(?:get|download|try|join me on|sent with) (?:the )?(?:\[?outlook|bluemail|mailtrack|proton\w*|spark|superhuman|missive|airmail).{0,60}"),
    ("de", r"(?:diese (?:nachricht|e-?mail) wurde )?(?:von|mit) (?:meine[mr]|unterwegs|mobil|einem|einer)\b.{0,70}\b(?:gesendet|geschickt|verfasst|versendet|geschrieben)[.!]?(?: bitte .{0,60})?"),
    ("de", rf"(?:gesendet|verschickt|versendet|geschickt|versandt) (?:von|mit|über|aus)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:gesendet|von) (?:von )?unterwegs|holen sie sich outlook.{{0,40}}|outlook für .{{0,30}} (?:beziehen|herunterladen)"),
    ("fr", rf"(?:envoyé|envoye|expédié) (?:depuis|de|à partir de|avec|par|via|du|d'un)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:obtenez|obtenir|télécharge[rz]|téléchargez) outlook.{{0,40}}|provenance : courrier .{{0,40}}"),
    ("es", rf"(?:enviado|enviada|mandado) (?:desde|de|con|mediante|a través de)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:obtener|obtén|descargar?) outlook.{{0,40}}"),
    ("it", rf"(?:inviato|inviata|spedito) (?:da|dal|dalla|dall[’']|con|tramite)\s?.{{0,50}}{_DEVICE}.{{0,40}}|(?:ottieni|scarica) outlook.{{0,40}}"),
    ("pt", rf"(?:enviado|enviada) (?:do|da|de|a partir|pelo|pela|com|através|via)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:obter|obtenha|baixar) o outlook.{{0,40}}"),
    ("nl", rf"(?:verzonden|verstuurd|gestuurd) (?:vanaf|met|vanuit|via|van|door)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:download|krijg|outlook) .{{0,10}}outlook.{{0,30}}|outlook voor (?:android|ios).{{0,20}}"),
    ("pl", rf"(?:wysłane|wysłano|wysłana|wiadomość wysłana|wyslane|wyslano) (?:z|za|ze|przez)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:pobierz|uzyskaj) outlook.{{0,40}}"),
    ("sv", rf"skickat? (?:från|med|via)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:hämta|skaffa) outlook.{{0,40}}"),
    ("da, nb", rf"sendt (?:fra|med|via)\b.{{0,50}}{_DEVICE}.{{0,40}}|(?:hent|få|skaff deg) outlook.{{0,40}}"),
    ("fi", r"lähetetty .{0,60}|(?:hanki|lataa) outlook.{0,40}"),
    ("cs, sk", r"(?:odesláno|odoslané|odoslano|odeslano|poslané|posláno) (?:z|ze|zo|pomocí)\b.{0,60}|(?:získejte|získajte|stáhnout|stiahnuť) outlook.{0,40}"),
    ("hu", r".{0,40}(?:-r[óo]l|b[óő]l|telefonr[óo]l|k[ée]sz[üu]l[ée]kr[őo]l|iphone-omr[óo]l) (?:k[üu]ldve|elk[üu]ldve).?|elküldve .{0,40}(?:-r[óo]l|mr[óo]l)"),
    ("ro", r"trimis (?:de pe|din|de la|cu)\b.{0,60}|(?:obțineți|descărcați) outlook.{0,40}"),
    ("hr, sl, sr", rf"(?:poslano|poslato) (?:s|sa|z|iz|preko)\b.{{0,50}}{_DEVICE}.{{0,40}}"),
    ("ru", r"отправлено (?:с|из|при помощи|через)\b.{0,60}|посла?но (?:с|из) .{0,50}|(?:скачать|получить|загрузить) outlook.{0,40}"),
    ("uk, bg", r"надіслано (?:з|із|за допомогою)\b.{0,60}|відправлено з .{0,50}|изпратено (?:от|с|чрез)\b.{0,60}"),
    ("el", r"(?:στάλθηκε|εστάλη|αποστολή|απεστάλη) από\b.{0,60}"),
    ("tr", rf"(?:{_DEVICE}|.{{0,30}}(?:telefonum|cihazım|iphone['’]um|ipad['’]im)).{{0,20}}(?:gönderildi|gönderilmiştir)\.?|.{{0,60}}(?:dan|den|tan|ten) gönderildi\.?|(?:android|ios) için outlook.{{0,20}}"),
    ("lt, lv, et", r"išsiųsta iš .{0,50}|nosūtīts no .{0,50}|saadetud minu .{0,50}"),
    ("ca, gl", rf"enviat (?:des|amb|del)\b.{{0,50}}{_DEVICE}.{{0,20}}|enviado dende .{{0,40}}"),
    ("id, vi", r"dikirim dari .{0,50}|(?:đã )?gửi từ .{0,50}|được gửi từ .{0,50}"),
    ("ar", r"(?:أُرسلت|أرسلت|تم الإرسال|مرسل|أرسل|أُرسل|مُرسل) (?:من|بواسطة|عبر)\s?.{0,50}|الحصول على outlook.{0,40}"),
    ("fa, he", r"(?:ارسال شده|فرستاده شده) از .{0,50}|נשלח מ.{0,50}|קבל את outlook.{0,40}"),
    ("zh", r"发自我的.{0,40}|发自.{0,30}(?:手机|iphone|ipad|邮箱|客户端|outlook).{0,10}|从我的.{0,30}发送|從我的.{0,30}傳送|寄自我的.{0,30}|傳自我的.{0,30}|發自我的.{0,30}|來自我的.{0,30}|获取适用于.{0,20}outlook|获取 ?outlook.{0,20}|取得.{0,20}outlook.{0,20}|(?:android|ios) ?版 outlook"),
    ("ja", r".{1,30}から送信(?:しました|されました)?。?|(?:android|ios) ?(?:用|版) ?outlook.{0,20}|outlook for (?:android|ios).{0,20}"),
    ("ko", r".{1,30}에서 (?:보냄|보냈습니다|전송|발송됨)\.?|(?:android|ios)용 outlook.{0,20}"),
    ("th, hi", r"ส่งจาก.{0,40}|मेरे .{0,30} से भेजा गया"),
    ("", r"outlook (?:for|voor|für|pour|para|per|til|för) (?:ios|android|mac|windows).{0,20}"),
)
# Words by which companies end every mail; beneath a quote they are no answer.
NOTICE = re.compile(
    r"confidential|privileged|intended recipient|intended solely|disclaimer|think before you print|consider the environment|virus[- ]free|scanned (?:by|for)|unsubscribe|mailing list|"
    r"vertraulich|irrtümlich|virenfrei|confidentiel|destinataire|avant d'imprimer|confidencial|destinatario|antes de imprimir|riservat[oe]|destinatário|vertrouwelijk|poufn|"
    r"fortrolig|konfidentiell|luottamuksel|конфиденциальн|gizli|důvěrn|bizalmas|保密|機密|기밀|سري",
    re.IGNORECASE,
)

# What a text part says that stands beside HTML only to excuse itself.
STUB_WORDS = re.compile(
    r"(?:does ?n[o']t|do not|cannot|can't|unable to|not able to|is not|has no|doesn’t|without|enable|use an?|need an?|requires? an?|to (?:view|see|read)|switch to|please view).{0,80}html"
    r"|html.{0,60}(?:not supported|only|compatible|capable|enabled|viewer|version|part|format|e-?mail|client)"
    r"|(?:view|read|see|open) (?:this|the) (?:e-?mail|message|newsletter).{0,40}(?:browser|online|web ?page|web)"
    r"|html.{0,100}(?:anzeig|darstell|unterstütz|lesen|ansicht|format)|(?:anzeig|darstell|unterstütz|ansehen).{0,80}html|im browser (?:ansehen|öffnen|anzeigen|lesen)"
    r"|html.{0,80}(?:affich|support|prend|lire|visualis|format)|(?:affich|support|prend|visualis).{0,80}html|(?:dans|avec) (?:votre|un) navigateur"
    r"|html.{0,80}(?:mostrar|visualiz|soport|admite|compatible|ver )|(?:mostrar|visualiz|soport|admite|ver ).{0,80}html|(?:en|no) (?:su|tu|el|seu) navegador"
    r"|(?:visualizza|support|legger).{0,80}html|html.{0,80}(?:visualizza|support)|nel (?:tuo )?browser"
    r"|(?:weerge|ondersteun|bekijk).{0,80}html|html.{0,80}(?:weerge|ondersteun|lezen)|in (?:uw|je) browser"
    r"|(?:wyświetl|obsług|obsłuż).{0,80}html|html.{0,80}(?:wyświetl|obsług)|w przeglądarce"
    r"|(?:stöd|visa|støtte|vise|tue|näyt).{0,80}html|html.{0,80}(?:stöd|visa|støtte|vise|tue|näyt|muoto)"
    r"|(?:поддерж|отобра|просмотр|показ|підтрим|відобра).{0,80}html|html.{0,80}(?:поддерж|отобра|просмотр|підтрим|відобра)|в браузере"
    r"|(?:görüntüle|destekle|zobraz|podpor|megjelen|támogat|afiș|εμφάν|υποστηρ).{0,80}html|html.{0,80}(?:görüntüle|destekle|zobraz|podpor|megjelen|támogat|afiș|εμφάν|υποστηρ|形式|格式|メール|表示|対応|메일|형식)"
    r"|(?:يدعم|عرض|تنسيق).{0,80}html|html.{0,80}(?:يدعم|عرض)|(?:支持|显示|顯示|表示|지원|查看).{0,40}html|html.{0,40}(?:支持|显示|顯示|지원|보기)"
)
