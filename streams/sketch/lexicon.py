"""Words and phrases that set a marker bit, by marker; English first, then others.

Entries are folded text, parted by ``|``; one of several tokens is a phrase and must
stand in that order, line breaks between its tokens allowed. What a prompt *looks like*
(code fences, lists ...) is not here but in `streams.sketch.markers`.

Editing an entry changes sketches of the same prompt, so it needs a new
``SKETCH_VERSION``, as references taken with the old words no longer compare.
"""

from __future__ import annotations

__all__ = ["FOREIGN_WORDS", "LEXICON"]

LEXICON: dict[str, str] = {
    "step_by_step": (
        "step by step|step-by-step|stepwise|chain of thought|chain-of-thought|"
        "one step at a time|each step|show your work|show your reasoning|"
        "explain your reasoning|show all steps|think carefully|reason through|"
        "think through|think aloud|work through|let's think|first , think|"
        "一步一步|一步步|逐步|分步|循序渐进|思维链|详细步骤|解题步骤|"
        "paso a paso|razona|cadena de pensamiento|muestra tu razonamiento|"
        "шаг за шагом|пошагово|по шагам|поэтапно|цепочка рассуждений|рассуждай|"
        "étape par étape|pas à pas|schritt für schritt|passo a passo|"
        "ステップバイステップ|段階的に|단계별로"
    ),
    "rubric_or_score_scale": (
        "rubric|rubrics|score rubric|scoring|likert|scale of|scale from|out of 5|"
        "out of 10|out of 100|score of|score between|integer between|number between|"
        "from 1 to 5|from 1 to 10|between 1 and 5|between 1 and 10|points for|"
        "criterion|criteria|评分标准|评分细则|打分|评分|满分|分制|"
        "rúbrica|criterios|escala de|puntuación|puntaje|"
        "рубрика|критерий|критерии|критериям|шкала|шкале|баллов|балл|оценку от"
    ),
    "grade_or_judge": (
        "grade|grading|grader|judge|judging|evaluate|evaluates|evaluating|evaluation|"
        "evaluator|assess|assesses|assessing|assessment|critique|critic|feedback|"
        "which response|which answer|better response|better answer|rate|rating|"
        "impartial|preferred|verify|verifier|correctness|is correct|"
        "评估|评价|评判|打分|判断|评审|更好的回答|"
        "evalúa|evaluar|califica|calificar|juzga|valora|"
        "оцени|оцените|оценить|оценка|проверь|проверьте|судья"
    ),
    "output_format_demand": (
        "json|xml|yaml|csv|output format|format your|in the format|following format|"
        "the format of|formatted as|output only|only output|respond only|only respond|"
        "respond with|answer only|only answer|only reply|reply only|return only|"
        "only return|nothing else|do not include|no explanation|no explanations|"
        "do not write explanations|should look|put your answer|final answer|boxed|"
        "must be in|markdown|valid json|exactly one|without any|"
        "输出格式|格式输出|只输出|仅输出|只返回|不要写解释|不要解释|最终答案|只回复|"
        "formato|responde solo|solo responde|sin explicaciones|devuelve|"
        "respuesta final|"
        "формат|формате|выведи|выведите|только ответ|без пояснений|окончательный ответ"
    ),
    "imperative_generation": (
        "write|generate|create|compose|produce|draft|design|develop|build|craft|"
        "invent|brainstorm|come up with|provide|list|give me|make a|make me|suggest|"
        "写|生成|创建|编写|撰写|设计|列出|提供|创作|"
        "escribe|genera|crea|redacta|diseña|proporciona|enumera|haz una|"
        "напиши|напишите|создай|создайте|сгенерируй|сгенерируйте|составь|составьте|"
        "придумай|перечисли|écris|rédige|schreibe|erstelle"
    ),
    "instruction_generation": (
        "instructions|new instruction|task description|new task|new tasks|"
        "new question|new questions|new problem|new problems|new prompt|new prompts|"
        "more complex version|rewritten prompt|given prompt|#given prompt#|"
        "training data|"
        "training examples|synthetic|dataset|data set|question and answer pairs|"
        "question-answer pairs|qa pairs|diverse|come up with a series|"
        "generate questions|generate a question|seed task|seed tasks|evol|"
        "指令|新的问题|新任务|训练数据|数据集|生成问题|问答对|"
        "instrucciones|nueva tarea|nuevas preguntas|conjunto de datos|"
        "инструкцию|инструкции|новый вопрос|новые вопросы|новую задачу|набор данных"
    ),
    "role_play": (
        "act as|i want you to act|acting as|pretend|role play|role-play|roleplay|"
        "play the role|persona|character|imagine you|imagine that you|you are a|"
        "you are an|you are the|assume the role|take on the role|as an expert|"
        "你是一个|你是一名|你是一位|充当|扮演|担任|假定自己|假设你|"
        "actúa como|eres un|eres una|imagina que|haz de cuenta|"
        "представь|представьте|ты эксперт|действуй как|выступи в роли|ты -|"
        "agis comme|du bist|tu es un"
    ),
    "tool_schema": (
        "toolformer|function call|function calls|function calling|tool call|tool calls|"
        "tool use|tools|tool|api|apis|api call|endpoint|openapi|parameters|"
        "available functions|tool_calls|tool_call|function_call|json_schema|"
        "search query|computer use|bash|terminal|browser|observation|action input|"
        "工具|函数调用|接口|herramienta|herramientas|llamada a la función|"
        "инструмент|инструменты|вызов функции"
    ),
    "reference_answer": (
        "reference answer|reference response|reference solution|gold answer|"
        "golden answer|ground truth|correct answer|correct answers|expected answer|"
        "the answer is|sample answer|standard answer|known answer|model answer|"
        "answer of the above|参考答案|标准答案|正确答案|答案是|"
        "respuesta de referencia|respuesta correcta|"
        "правильный ответ|эталонный ответ|эталон"
    ),
    "few_shot": (
        "few-shot|few shot|example 1|example 2|examples :|example :|demonstrations|"
        "for example :|here are some examples|here are examples|following examples|"
        "input :|input-output|例如 :|示例|例子|样例|ejemplo :|ejemplos :|"
        "пример :|примеры :"
    ),
    "translation": (
        "translate|translates|translated|translating|translation|translator|"
        "into english|into french|into spanish|into german|into chinese|"
        "翻译|译成|译为|traduce|traducir|traducción|переведи|переведите|перевод|"
        "traduis|übersetze"
    ),
    "summarise": (
        "summarise|summarize|summary|summaries|summarization|tl;dr|tldr|condense|"
        "key points|main points|in brief|总结|摘要|概括|概述|resume|resumen|resumir|"
        "кратко|резюме|суммируй|краткое содержание|résume|zusammenfassung"
    ),
    "reasoning_trace_request": (
        "reasoning trace|reasoning traces|thinking process|thought process|"
        "reasoning process|reasoning steps|internal reasoning|inner monologue|"
        "internal monologue|chain of thought|hidden reasoning|scratchpad|<think>|"
        "your thoughts|your thinking|full reasoning|complete reasoning|"
        "detailed reasoning|reconstruct|how you arrived|how you got|rationale|"
        "explain how you|thought :|justify|justification|why you|"
        "思考过程|推理过程|内心独白|思路|思维过程|完整推理|推导过程|"
        "proceso de pensamiento|monólogo interno|razonamiento completo|"
        "proceso de razonamiento|"
        "ход мыслей|ход рассуждений|внутренний монолог|процесс мышления|ход решения"
    ),
    "rewrite_request": (
        "rewrite|rewriting|rewritten|rephrase|rephrased|paraphrase|paraphrased|reword|"
        "reformulate|edit the|proofread|revise|improve the|make it more|simplify|"
        "改写|重写|润色|修改|复述|reescribe|reescribir|parafrasea|reformula|"
        "перепиши|перепишите|перефразируй|переформулируй|réécris|umschreiben"
    ),
    "code_request": (
        "code|python|javascript|typescript|java|c++|c#|sql|html|css|rust|golang|php|"
        "function|functions|program|script|algorithm|class|def|return|import|"
        "implement|debug|refactor|compile|unit test|unit tests|pull request|repository|"
        "代码|编程|程序|函数|算法|脚本|código|función|programa|"
        "код|функцию|программу|скрипт|алгоритм"
    ),
    "math_words": (
        "solve|equation|equations|integer|integers|sum|calculate|compute|probability|"
        "polynomial|triangle|angle|radius|circle|perimeter|area|fraction|percent|"
        "percentage|how many|how much|theorem|prove|proof|derivative|integral|"
        "matrix|vector|divisible|prime|remainder|algebra|geometry|arithmetic|"
        "unknown variable|value of|计算|方程|求解|概率|多少|数学|证明|"
        "calcula|ecuación|resuelve|cuántos|cuántas|cuánto|probabilidad|"
        "вычисли|вычислите|уравнение|реши|решите|сколько|вероятность|докажи|докажите"
    ),
    "politeness": (
        "please|thanks|thank you|thank|kindly|would you mind|appreciate|grateful|"
        "could you|请|谢谢|感谢|por favor|gracias|пожалуйста|спасибо|"
        "s'il vous plaît|merci|bitte|danke"
    ),
    "first_person": (
        "i|i'm|i've|i'd|i'll|me|my|mine|myself|我|我的|yo|mi|mis|me gustaría|"
        "я|мне|мой|моя|меня|je|ich"
    ),
    "second_person": (
        "you|your|you're|you'd|you'll|yourself|你|您|tú|usted|tu|ты|вы|вас|вам|твой|"
        "vous|du|sie"
    ),
    "chat_greeting": (
        "hi|hello|hey|hiya|greetings|good morning|good afternoon|good evening|"
        "how are you|你好|您好|hola|buenos días|привет|здравствуйте|здравствуй|"
        "bonjour|hallo"
    ),
    "multiple_choice": (
        "multiple choice|multiple-choice|answer choices|options :|choices :|"
        "which of the following|选项|以下哪|下列|opción múltiple|"
        "cuál de las siguientes|"
        "какой из следующих|варианты ответа"
    ),
    "comparison": (
        "compare|compares|comparing|comparison|contrast|difference between|"
        "differences between|versus|vs|pros and cons|better than|response a|response b|"
        "assistant a|assistant b|比较|对比|区别|compara|comparar|diferencia entre|"
        "сравни|сравните|разница между|отличие"
    ),
    "self_reference_to_model": (
        "as an ai|language model|language models|llm|llms|chatgpt|gpt|claude|gemini|"
        "ai model|ai assistant|assistant|openai|anthropic|your training|your system|"
        "system prompt|your instructions|your guidelines|previous instructions|"
        "语言模型|人工智能|系统提示|modelo de lenguaje|inteligencia artificial|"
        "языковая модель|языковой модели|нейросеть|искусственный интеллект"
    ),
}

# Frequent words of languages in Latin script; three different ones make a prompt
# foreign, so that one loan word ("de facto", "la carte") does not.
_FOREIGN = (
    "que los las una para por con cómo qué está del como pero más ser "
    "der die und das ist nicht ein eine mit für auf wie den dem les des "
    "est une dans pour avec sur qui pas vous quel quelle não uma você "
    "são isso mais il che per sono della het een van niet voor bir ve bu "
    "của là những"
)
FOREIGN_WORDS = frozenset(_FOREIGN.split())
