"""Plain torch models, written from the papers, of built-in networks that the lab does not run."""

import torch
from torch import nn
from torch.nn import functional as F


def places_of(tokens):
    """Number the tokens, from 0 on, beside them."""
    return torch.ones_like(tokens[0]).cumsum(0) - 1


class VGG(nn.Module):
    def __init__(self, blocks, size, units):
        super().__init__()
        features, channels = [], 3
        for block in blocks:
            for width in block:
                features += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(size)
        classifier, inputs = [], channels * size**2
        for width in units[:-1]:
            classifier += [nn.Linear(inputs, width), nn.ReLU(inplace=True)]
            classifier += [nn.Dropout()] * (len(blocks) == 5)  # none in NeuroSim's VGG-8
            inputs = width
        self.classifier = nn.Sequential(*classifier, nn.Linear(inputs, units[-1]))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class EncoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(768)
        self.self_attention = nn.MultiheadAttention(768, 12, batch_first=True)
        self.ln_2 = nn.LayerNorm(768)
        self.mlp = nn.Sequential(
            nn.Linear(768, 3072), nn.GELU(), nn.Dropout(), nn.Linear(3072, 768), nn.Dropout()
        )

    def forward(self, x):
        y = self.ln_1(x)
        y, _ = self.self_attention(y, y, y, need_weights=False)
        x = x + y
        return x + self.mlp(self.ln_2(x))


class ViT(nn.Module):
    def __init__(self, blocks=12):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, 768, 32, 32)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 768))
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.zeros(1, 50, 768))
        self.encoder.layers = nn.ModuleDict(
            {f"encoder_layer_{i}": EncoderBlock() for i in range(blocks)}
        )
        self.encoder.ln = nn.LayerNorm(768)
        self.heads = nn.Module()
        self.heads.head = nn.Linear(768, 1000)

    def forward(self, x):
        n = x.shape[0]
        x = self.conv_proj(x).reshape(n, 768, 49).permute(0, 2, 1)
        x = torch.cat([self.class_token.expand(n, -1, -1), x], dim=1)
        x = x + self.encoder.pos_embedding
        for block in self.encoder.layers.values():
            x = block(x)
        return self.heads.head(self.encoder.ln(x)[:, 0])


class BertLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.Module()
        self.attention.self = BertAttention()
        self.attention.output = BertOutput(768)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(768, 3072)
        self.output = BertOutput(3072)

    def forward(self, x):
        x = self.attention.output(self.attention.self(x), x)
        return self.output(F.gelu(self.intermediate.dense(x)), x)


class BertAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(768, 768) for _ in range(3))

    def forward(self, x):
        q, k, v = (
            part(x).view(*x.shape[:2], 12, 64).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        x = F.scaled_dot_product_attention(q, k, v)
        return x.transpose(1, 2).flatten(2)


class BertOutput(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.dense = nn.Linear(inner, 768)
        self.norm = nn.LayerNorm(768)

    def forward(self, x, around):
        return self.norm(self.dense(x) + around)


class Bert(nn.Module):
    def __init__(self, blocks=12):
        super().__init__()
        self.words = nn.Embedding(30522, 768)
        self.places = nn.Embedding(512, 768)
        self.segments = nn.Embedding(2, 768)
        self.norm = nn.LayerNorm(768)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList([BertLayer() for _ in range(blocks)])
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(768, 768)

    def forward(self, tokens, segments):
        places = places_of(tokens)[None]
        x = self.norm(self.words(tokens) + self.segments(segments) + self.places(places))
        for layer in self.encoder.layer:
            x = layer(x)
        return torch.tanh(self.pooler.dense(x[:, 0]))


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale


class LlamaBlock(nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        self.input_norm, self.inner_norm = RMSNorm(width), RMSNorm(width)
        self.self_attn = LlamaAttention(width, heads)
        self.mlp = nn.Module()
        self.mlp.gate_proj = nn.Linear(width, inner, bias=False)
        self.mlp.up_proj = nn.Linear(width, inner, bias=False)
        self.mlp.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_norm(x), cos, sin)
        y = self.inner_norm(x)
        return x + self.mlp.down_proj(F.silu(self.mlp.gate_proj(y)) * self.mlp.up_proj(y))


class LlamaAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        for part in "qkvo":
            self.add_module(f"{part}_proj", nn.Linear(width, width, bias=False))

    def forward(self, x, cos, sin):
        n, tokens, width = x.shape
        q, k, v = (
            part(x).view(n, tokens, self.heads, -1).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = (t * cos + rotate_half(t) * sin for t in (q, k))
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(x.transpose(1, 2).reshape(n, tokens, width))


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Llama(nn.Module):
    def __init__(self, blocks=32):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(32000, 4096)
        self.model.layers = nn.ModuleList([LlamaBlock(4096, 32, 11008) for _ in range(blocks)])
        self.model.norm = RMSNorm(4096)
        self.lm_head = nn.Linear(4096, 32000, bias=False)

    def forward(self, tokens):
        x = self.model.embed_tokens(tokens)
        places = places_of(tokens).float()
        steps = 10_000 ** (-places.new_tensor(range(0, 128, 2)) / 128)
        angles = torch.cat([torch.outer(places, steps)] * 2, dim=-1)
        for layer in self.model.layers:
            x = layer(x, angles.cos(), angles.sin())
        return self.lm_head(self.model.norm(x)[:, -1])


class LanguageModel(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.encoder = nn.Embedding(10_000, hidden)
        self.rnn = nn.LSTM(hidden, hidden, 2, dropout=0.5, batch_first=True)
        self.decoder = nn.Linear(hidden, 10_000)

    def forward(self, words):
        return self.decoder(self.rnn(self.encoder(words))[0])


class DigitsCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, 2, 1)
        self.conv4 = nn.Conv2d(48, 48, 3, 2, 1)
        self.fc = nn.Linear(192, 10)

    def forward(self, x):
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(layer(x))
        return self.fc(x.flatten(1))


def image(channels, size):
    return lambda: (torch.empty(1, channels, size, size),)


def words(count, inputs=1):
    return lambda: tuple(torch.zeros(1, count, dtype=torch.long) for _ in range(inputs))


MODELS = {
    "bert_base": (Bert, words(128, 2)),
    "digits_cnn": (DigitsCNN, image(1, 8)),
    "llama_7b": (Llama, words(128)),
    "lstm_ptb_large": (lambda: LanguageModel(1500), words(35)),
    "lstm_ptb_medium": (lambda: LanguageModel(650), words(35)),
    "vgg8": (lambda: VGG(((128,) * 2, (256,) * 2, (512,) * 2), 4, (1024, 10)), image(3, 32)),
    "vgg16": (
        lambda: VGG(
            ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3), 7, (4096, 4096, 1000)
        ),
        image(3, 224),
    ),
    "vit_b_32": (ViT, image(3, 224)),
}
