# godot --headless --path PROJECT --script chat_test.gd -- MODEL      FathomChat in a Godot that runs
# Prints a line for each test, and ends with the number of failures as exit code. MODEL is a tiny one that says nonsense.
extends SceneTree

const PROMPT := "Wer wacht über das Licht?"

var model: String
var failures := 0
var current: String

# What one node said, as its signals tell it.
class Listener:
	var chat: FathomChat
	var said := ""
	var shares: Array[float] = []
	var loaded := 0
	var finished: Array[String] = []
	var failed: Array[String] = []

	func _init(node: FathomChat) -> void:
		chat = node
		chat.loading.connect(func(share: float): shares.append(share))
		chat.loaded.connect(func(): loaded += 1)
		chat.text.connect(func(piece: String): said += piece)
		chat.finished.connect(func(reason: String): finished.append(reason))
		chat.failed.connect(func(message: String): failed.append(message))

	func free_node() -> void:
		chat.free()

# Says when in a frame it is processed: one before and one after a node measure it.
class Clock extends Node:
	var at := 0
	func _process(_delta: float) -> void:
		at = Time.get_ticks_usec()

func _initialize() -> void:
	model = OS.get_cmdline_user_args()[0]
	await process_frame
	for method in get_method_list():
		if method.name.begins_with("test_"):
			current = method.name.trim_prefix("test_").replace("_", " ")
			var before := failures
			await call(method.name)
			print("passed: " if failures == before else "FAILED: ", current)
	quit(failures)

func check(condition: bool, what: String) -> void:
	if not condition:
		failures += 1
		print("  %s: not so: %s" % [current, what])

func speaker(tokens := 64) -> Listener:
	var chat := FathomChat.new()
	chat.model_path = model
	chat.max_tokens = tokens
	chat.context_length = 1024
	chat.seed = 7
	root.add_child(chat)
	return Listener.new(chat)

func until_idle(chat: FathomChat) -> void:
	var give_up := Time.get_ticks_msec() + 60_000
	while chat.is_busy() and Time.get_ticks_msec() < give_up:
		await process_frame

func answer(listener: Listener, prompt: String) -> String:
	listener.said = ""
	listener.chat.ask(prompt)
	await until_idle(listener.chat)
	return listener.said

func threads() -> int:
	return DirAccess.get_directories_at("/proc/self/task").size()

func resident_bytes() -> int:
	return FileAccess.open("/proc/self/statm", FileAccess.READ).get_line().get_slice(" ", 1).to_int() * 4096

func test_a_missing_model_is_a_failure_that_names_it() -> void:
	var one := speaker()
	one.chat.model_path = "/no/such/model.gguf"
	await answer(one, PROMPT)
	check(one.failed.size() == 1 and one.failed[0].contains("/no/such/model.gguf"), "failed(%s)" % [one.failed])
	check(one.finished.is_empty() and one.loaded == 0, "nothing else is signalled")
	one.chat.model_path = model
	check(await answer(one, PROMPT) != "", "with the right path it answers")
	one.free_node()

func test_numbers_that_are_too_large_are_failures_that_name_them() -> void:
	var one := speaker()
	one.chat.threads = (1 << 32) + 1 # its low 32 bits are a number of threads
	await answer(one, PROMPT)
	check(one.failed.size() == 1 and one.failed[0].contains("threads"), "failed(%s)" % [one.failed])
	one.chat.threads = 2
	one.chat.context_length = 1 << 40
	await answer(one, PROMPT)
	check(one.failed.size() == 2 and one.failed[1].contains("context_length"), "failed(%s)" % [one.failed])
	one.free_node()

func test_user_paths_are_godots() -> void:
	var one := speaker()
	one.chat.model_path = "user://no_such_model.gguf"
	await answer(one, PROMPT)
	check(one.failed.size() == 1 and one.failed[0].contains(OS.get_user_data_dir()), "failed(%s)" % [one.failed])
	one.free_node()

func test_a_prompt_longer_than_the_context_is_a_failure() -> void:
	var one := speaker()
	one.chat.context_length = 32
	await answer(one, PROMPT)
	check(one.failed.size() == 1 and one.failed[0].contains("32"), "failed(%s)" % [one.failed])
	one.chat.context_length = 1024
	check(await answer(one, PROMPT) != "", "with more room it answers")
	one.free_node()

func test_arguments_of_other_types() -> void:
	var one := speaker()
	one.chat.set("temperature", 1)
	check(one.chat.temperature == 1.0, "an integer is a number too")
	one.chat.call("ask", &"a name")
	check(one.chat.is_busy(), "a StringName is a text too")
	one.chat.budget_us = -5
	check(one.chat.budget_us == 1, "a budget is at least 1, because 0 would be none")
	one.free_node()

func test_texts_that_cross_the_border_are_released() -> void:
	var one := speaker()
	var text := "Wächter ".repeat(10_000)
	one.chat.system_prompt = text
	var before := OS.get_static_memory_usage() # of Godot, whose strings they are
	for i in 100:
		one.chat.system_prompt = one.chat.system_prompt
		one.chat.set("system_prompt", one.chat.get("system_prompt"))
		one.chat.model_path = text # named in the message
		await answer(one, PROMPT)
		one.failed.clear()
	var grown := OS.get_static_memory_usage() - before
	check(one.chat.system_prompt == text, "unchanged")
	check(grown < 1 << 20, "%d bytes more" % grown)
	one.free_node()

func test_an_answer_comes_in_pieces_and_ends_once() -> void:
	var one := speaker()
	check(not one.chat.is_busy(), "idle before")
	one.chat.ask(PROMPT)
	check(one.chat.is_busy() and one.said == "", "nothing is said before the next frame")
	await until_idle(one.chat)
	check(one.loaded == 1, "loaded once")
	check(one.said != "", "something was said")
	check(one.finished == ["max_tokens"] or one.finished == ["end"], "finished(%s)" % [one.finished])
	check(one.failed.is_empty(), "failed(%s)" % [one.failed])
	var said := one.said
	for i in 5:
		await process_frame
	check(one.said == said and one.finished.size() == 1, "and then it is silent")
	one.free_node()

func test_the_recommended_sampling_is_that_of_the_checkpoint() -> void:
	var one := speaker()
	one.chat.recommended_sampling = true
	one.chat.temperature = 2.0
	var told := await answer(one, PROMPT)
	one.chat.forget()
	one.chat.seed = 8
	check(await answer(one, PROMPT) == told, "this checkpoint recommends nothing, so that no token is drawn")
	one.chat.forget()
	one.chat.recommended_sampling = false
	check(await answer(one, PROMPT) != told, "the node's own temperature draws")
	var folder := OS.get_user_data_dir().path_join("recommends")
	DirAccess.make_dir_recursive_absolute(folder)
	for file in DirAccess.get_files_at(model):
		DirAccess.copy_absolute(model.path_join(file), folder.path_join(file))
	FileAccess.open(folder.path_join("generation_config.json"), FileAccess.WRITE).store_string('{"temperature": 2.0}')
	one.chat.model_path = folder
	one.chat.recommended_sampling = true
	one.chat.forget()
	told = await answer(one, PROMPT)
	one.chat.forget()
	one.chat.seed = 9
	check(await answer(one, PROMPT) != told, "the checkpoint's temperature draws")
	one.free_node()

func test_the_same_seed_says_the_same_whatever_the_budget() -> void:
	var one := speaker()
	one.chat.budget_us = 100
	var slowly := await answer(one, PROMPT)
	one.chat.forget()
	one.chat.budget_us = 1_000_000
	check(await answer(one, PROMPT) == slowly, "the same text")
	one.chat.forget()
	one.chat.seed = 8
	check(await answer(one, PROMPT) != slowly, "another text with another seed")
	one.free_node()

func test_the_conversation_goes_on_until_it_is_forgotten() -> void:
	var one := speaker()
	var first := await answer(one, PROMPT)
	var second := await answer(one, PROMPT)
	check(first != second, "the second answer depends on what was said before")
	one.chat.forget()
	check(await answer(one, PROMPT) == first, "forgotten")
	one.chat.forget()
	one.chat.system_prompt = "You are a lighthouse."
	check(await answer(one, PROMPT) != first, "the system prompt counts")
	one.free_node()

func test_what_no_longer_fits_is_forgotten() -> void:
	var one := speaker(100)
	one.chat.context_length = 400
	for i in 8:
		check(await answer(one, PROMPT) != "", "answer %d" % i)
	check(one.finished.size() == 8 and one.failed.is_empty(), "%s, failed(%s)" % [one.finished, one.failed])
	one.free_node()

func test_frames_keep_the_budget() -> void:
	var before := Clock.new()
	var after := Clock.new()
	root.add_child(before)
	var one := speaker(800)
	one.chat.context_length = 2048
	one.chat.budget_us = 500
	root.add_child(after)
	one.chat.load_model()
	await until_idle(one.chat)
	one.chat.ask(PROMPT)
	var took: Array[int] = []
	while one.chat.is_busy():
		await process_frame # which comes before the nodes of that frame, so these are the times of the frame before
		took.append(after.at - before.at)
	took.sort()
	var median := took[took.size() / 2]
	print("  budget %d us: %d frames, median %d us, longest %d us" % [one.chat.budget_us, took.size(), median, took[-1]])
	check(took.size() >= 10, "the answer is spread over frames")
	check(median < 2 * one.chat.budget_us, "most frames are within the budget, or almost")
	for node: Node in [before, after]:
		node.free()
	one.free_node()

func test_cancel_ends_the_answer_at_once() -> void:
	var one := speaker(900)
	one.chat.ask(PROMPT)
	await one.chat.text
	one.chat.cancel()
	check(one.finished == ["cancelled"] and not one.chat.is_busy(), "finished(%s)" % [one.finished])
	var said := one.said
	for i in 5:
		await process_frame
	check(one.said == said, "and nothing more is said")
	one.chat.cancel()
	check(one.finished.size() == 1, "cancelling nothing is nothing")
	one.chat.max_tokens = 8
	await answer(one, "Und dann?")
	check(one.finished.size() == 2 and one.finished[1] != "cancelled", "the next question is answered: %s" % [one.finished])
	one.free_node()

func test_cancel_while_loading_lets_the_load_go_on() -> void:
	var one := speaker()
	one.chat.ask(PROMPT)
	one.chat.cancel()
	check(one.finished == ["cancelled"], "finished(%s)" % [one.finished])
	await until_idle(one.chat)
	check(one.loaded == 1 and one.said == "", "loaded, and silent")
	one.free_node()

func test_a_listener_may_ask_and_cancel() -> void:
	var one := speaker()
	one.chat.text.connect(func(_piece: String): one.chat.cancel(), CONNECT_ONE_SHOT)
	one.chat.ask(PROMPT)
	await until_idle(one.chat)
	check(one.finished == ["cancelled"], "cancelled from text: %s" % [one.finished])
	one.chat.text.connect(func(_piece: String): one.chat.ask("Noch etwas?"), CONNECT_ONE_SHOT)
	one.chat.ask(PROMPT)
	await until_idle(one.chat)
	check(one.finished.size() == 3 and one.finished[1] == "cancelled", "asked from text: %s" % [one.finished])
	check(one.finished[2] != "cancelled", "and answered: %s" % [one.finished])
	one.chat.finished.connect(func(_reason: String): one.chat.ask("Und weiter?"), CONNECT_ONE_SHOT)
	one.chat.ask(PROMPT)
	await until_idle(one.chat)
	check(one.finished.size() == 5, "asked from finished: %s" % [one.finished])
	one.free_node()

func test_a_script_on_the_node_may_have_its_own_process() -> void:
	var script := GDScript.new()
	script.source_code = "extends FathomChat\nvar frames := 0\nfunc _process(_delta): frames += 1\n"
	script.reload()
	var chat: FathomChat = script.new()
	chat.model_path = model
	chat.max_tokens = 16
	chat.seed = 7
	root.add_child(chat)
	var one := Listener.new(chat)
	check(await answer(one, PROMPT) != "", "it answers")
	check(chat.get("frames") > 0, "and processes")
	one.free_node()

func test_a_paused_game_pauses_the_answer() -> void:
	var one := speaker(900)
	one.chat.budget_us = 100
	one.chat.ask(PROMPT)
	await one.chat.text
	paused = true
	await process_frame
	var said := one.said
	for i in 5:
		await process_frame
	check(one.said == said and one.chat.is_busy(), "silent while paused")
	paused = false
	one.chat.budget_us = 100_000
	await until_idle(one.chat)
	check(one.said.length() > said.length(), "and goes on afterwards")
	one.free_node()

func test_nodes_share_a_model_and_release_it() -> void:
	var before := threads()
	var one := speaker()
	await answer(one, PROMPT)
	var with_one := threads()
	check(with_one > before, "a model has threads")
	var two := speaker()
	check(await answer(two, PROMPT) == one.said, "another node, the same model, the same answer")
	check(threads() == with_one, "and no threads of its own")
	one.free_node()
	check(threads() == with_one, "one of two nodes freed")
	two.free_node()
	check(threads() == before, "%d threads before, %d after" % [before, threads()])

func test_freeing_at_any_moment_leaves_nothing_behind() -> void:
	var before := threads()
	var resident := 0
	for round in 60:
		var one := speaker()
		one.chat.ask(PROMPT)
		for frame in round % 6: # before the first frame, while loading, while answering
			await process_frame
		one.free_node()
		if round == 19:
			resident = resident_bytes()
	check(threads() == before, "%d threads before, %d after" % [before, threads()])
	var grown := resident_bytes() - resident
	print("  40 rounds: %d KB more" % [grown / 1024])
	check(grown < 4 << 20, "memory does not grow by rounds")

func test_the_demo_answers_a_question() -> void:
	var scene: Control = load("res://lighthouse.tscn").instantiate()
	root.add_child(scene)
	var keeper: FathomChat = scene.get_node("Keeper")
	keeper.seed = 7
	await until_idle(keeper)
	scene.get_node("Question").text_submitted.emit("Who are you?")
	await until_idle(keeper)
	var shown: String = scene.get_node("Answer").text
	check(shown.contains("> Who are you?") and shown.length() > 20, "shown: %s" % shown)
	scene.free()
