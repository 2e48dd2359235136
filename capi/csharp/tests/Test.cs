// Test.exe LAYOUT MODEL      MODEL: a folder with a small mixture-of-experts model and a byte tokenizer
using System;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using Fathom;

static class Test
{
    static int failures = 0;

    static void Check(bool condition, string sentence)
    {
        if (condition) return;
        ++failures;
        Console.WriteLine("FAILED: " + sentence);
    }

    static void StructsLieAsTheCompilerLaysThem(string path)
    {
        Type type = null;
        int structs = 0;
        foreach (var line in File.ReadAllLines(path).Where(each => !each.StartsWith("#")))
        {
            var words = line.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries);
            if (!line.StartsWith(" "))
            {
                type = typeof(Native).Assembly.GetType("Fathom." + words[0]);
                Check(type != null && Marshal.SizeOf(type) == int.Parse(words[1]), words[0]);
                ++structs;
            }
            else
            {
                Check((int)Marshal.OffsetOf(type, words[0]) == int.Parse(words[1]), type + "." + words[0]);
            }
        }
        Check(structs > 20, "the list has " + structs + " structs");
    }

    static int[] Continuation(Model model, int[] prompt, int count)
    {
        using (var session = new Session(model, 200))
        {
            session.Append(prompt);
            session.Step(0, count);
            return session.ReadTokens();
        }
    }

    static void SessionsTalk(Model model)
    {
        Check(model.Family == "deepseek_v3", "family");
        var prompt = model.Encode("Grüße");
        Check(model.Decode(prompt) == "Grüße", "round trip");
        Check(model.Encode("").Length == 0, "no text, no tokens");
        var expected = Continuation(model, prompt, 6);
        using (var session = new Session(model, 200))
        {
            session.Append(prompt);
            // as a game does it: a little in each frame
            long made = 0;
            for (int frame = 0; frame < 1000000 && made < expected.Length; ++frame) made += session.Step(50).new_tokens;
            Check(session.ReadTokens().SequenceEqual(expected), "budgets keep the bits");
            session.ReadText();
            session.Rewind(prompt.Length);
            session.Step(0, 6);
            Check(session.ReadTokens().SequenceEqual(expected), "rewinding keeps the bits");
            session.Cancel();
            Check(session.Step().stop == Native.FATHOM_STOP_CANCELLED, "cancel");
            session.Reset();
            session.Append(model.EncodeQuestion("Hello?"));
            Check(session.Step(0, 0).prompt_tokens > 6, "a question is taken in");
        }
    }

    static void TheRecommendedSamplingIsThatOfTheCheckpoint(Runtime runtime, string path)
    {
        var folder = Path.Combine(Path.GetTempPath(), "fathom-recommended-" + Guid.NewGuid());
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.GetFiles(path)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), "{\"do_sample\": true, \"temperature\": 0.5, \"top_k\": 20}");
        using (var model = new Model(runtime, path)) Check(model.RecommendedSampling.temperature == 0, "nothing is recommended");
        using (var model = new Model(runtime, folder))
        {
            var sampling = model.RecommendedSampling;
            Check(sampling.temperature == 0.5f && sampling.top_k == 20 && sampling.top_p == 1, "the file's values");
            sampling.seed = 3;
            using (var session = new Session(model, sampling, 20))
            {
                session.Append(new[] { 3, 4 });
                Check(session.Step(0, 2).new_tokens == 2, "a session takes the recommendation");
            }
        }
        Directory.Delete(folder, true);
    }

    static void ErrorsHaveASentence(Runtime runtime)
    {
        try
        {
            new Model(runtime, "/no/such/model");
            Check(false, "a model that is not there was opened");
        }
        catch (FathomException error)
        {
            Check(error.Status == Native.FATHOM_NOT_FOUND && error.Message.Contains("/no/such/model"), error.Message);
        }
    }

    static Exception Thrown(Action action)
    {
        try
        {
            action();
        }
        catch (Exception error)
        {
            return error;
        }
        return null;
    }

    static void StatusesHaveNames(Model model)
    {
        foreach (StatusCode code in Enum.GetValues(typeof(StatusCode)))
        {
            var name = Marshal.PtrToStringAnsi(Native.fathom_status_name((int)code));
            Check(name.Replace("_", "") == code.ToString().ToLowerInvariant(), code + " is " + name);
        }
        Check(Marshal.PtrToStringAnsi(Native.fathom_status_name(Enum.GetValues(typeof(StatusCode)).Length)) == "unknown", "all are named");
        using (var session = new Session(model, 10))
        {
            var error = (FathomException)Thrown(() => session.Append(new int[11]));
            Check(error.Code == StatusCode.ContextFull && error.Name == "context_full", error.Name);
            session.Append(new[] { 3 });
            Check(session.Step(0, 100).Reason() == StopReason.ContextFull, "a full context is named");
        }
    }

    static void LoadsTellAndStop(Runtime runtime, string path)
    {
        double last = -1;
        new Model(runtime, path, (share, what) => { last = share; return what.Length > 0; }).Dispose();
        Check(last == 1, "a load ends with a share of 1, not " + last);
        var error = Thrown(() => new Model(runtime, path, (share, what) => false)) as FathomException;
        Check(error != null && error.Code == StatusCode.Cancelled, "false stops a load");
        Check(Thrown(() => new Model(runtime, path, (share, what) => { throw new InvalidOperationException("mine"); })).Message == "mine",
              "an exception of the callback comes out as it is");
    }

    static void WrongArgumentsAreNamed(Runtime runtime, Model model)
    {
        Check(Thrown(() => new Model(runtime, null)) is ArgumentNullException, "no path");
        Check(Thrown(() => new Model(null, "model")) is ArgumentNullException, "no runtime");
        Check(Thrown(() => model.Encode(null)) is ArgumentNullException, "no text");
        Check(Thrown(() => model.Encode("a\ud800")) is ArgumentException, "half a surrogate pair");
        Check(model.Decode(model.Encode("\ud83d\ude00")) == "\ud83d\ude00", "a whole one");
        Check(Thrown(() => model.Decode(null)) is ArgumentNullException, "no tokens");
        var messages = new[] { new ChatMessage("user", "Hello"), new ChatMessage("user", null) };
        Check(Thrown(() => model.EncodeChat(messages)).Message.Contains("message 1 has no content"), "no content");
        Check(model.EncodeChat(messages.Take(1).ToList()).SequenceEqual(model.EncodeQuestion("Hello")), "a conversation of one");
        using (var session = new Session(model, 50))
        {
            Check(Thrown(() => session.Append(null)) is ArgumentNullException, "no tokens to append");
            Check(Thrown(() => session.Rewind(-1)) is ArgumentOutOfRangeException, "a negative length");
        }
    }

    static int Threads() { return Directory.GetDirectories("/proc/self/task").Length; }

    // In a function of its own, so that nothing on the stack keeps them.
    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    static void Lose(string path)
    {
        for (int i = 0; i < 4; ++i)
        {
            var session = new Session(new Model(new Runtime(8), path), 50);
            session.Append(new[] { 3 });
            session.Step();
        }
    }

    static void LostObjectsAreReleased(string path)
    {
        int before = Threads();
        var loser = new System.Threading.Thread(() => Lose(path));
        loser.Start();
        loser.Join();
        for (int i = 0; i < 200 && Threads() > before + 7; ++i)  // a collector that is not sure keeps one
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            System.Threading.Thread.Sleep(10);
        }
        Check(Threads() <= before + 7, Threads() - before + " threads are left of 28");
    }

    static void DisposedObjectsSaySo(Runtime runtime, string path)
    {
        var model = new Model(runtime, path);
        var session = new Session(model, 200);
        model.Dispose();
        model.Dispose();
        Check(Thrown(() => model.Encode("text")) is ObjectDisposedException, "a disposed model");
        session.Append(new[] { 3 });
        Check(session.Step().new_tokens == 1, "a session keeps its model");
        session.Dispose();
        session.Cancel();
        Check(Thrown(() => session.Step()) is ObjectDisposedException, "a disposed session");
    }

    static int Main(string[] arguments)
    {
        StructsLieAsTheCompilerLaysThem(arguments[0]);
        using (var runtime = new Runtime(2, true))
        {
            using (var model = new Model(runtime, arguments[1]))
            {
                SessionsTalk(model);
                StatusesHaveNames(model);
                WrongArgumentsAreNamed(runtime, model);
            }
            TheRecommendedSamplingIsThatOfTheCheckpoint(runtime, arguments[1]);
            ErrorsHaveASentence(runtime);
            LoadsTellAndStop(runtime, arguments[1]);
            DisposedObjectsSaySo(runtime, arguments[1]);
        }
        LostObjectsAreReleased(arguments[1]);
        Console.WriteLine(failures == 0 ? "all is well" : "FAILED");
        return failures == 0 ? 0 : 1;
    }
}
